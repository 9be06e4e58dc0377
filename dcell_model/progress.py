"""What a run shows while it lasts: a bar in a terminal, and live metrics through DVCLive."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def progress_bar(visible: bool) -> Iterator[Any]:
    """A bar with an estimate of what is left; nothing where the output is not a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console()
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    disable = not (visible and console.is_terminal)
    with Progress(*columns, console=console, disable=disable) as progress:
        yield progress


@contextlib.contextmanager
def live_metrics(folder: Path, leader: bool, steps: int) -> Iterator[Any]:
    """A `dvclive.Live` that has `steps` behind it; None for followers.

    In a git repository without DVC there is none either: DVCLive would turn it into a DVC one.
    """
    if not leader or _would_initialise_dvc():
        yield None
        return
    from dvclive import Live

    with Live(str(folder), resume=steps > 0, report=None, save_dvc_exp=False, dvcyaml=None) as live:
        if steps:
            live.step = steps
        yield live


def _would_initialise_dvc() -> bool:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".dvc").is_dir():
            return False
        if (folder / ".git").exists():
            return True
    return False
