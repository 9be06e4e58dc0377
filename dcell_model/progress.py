"""What a run shows while it lasts: a bar in a terminal, and live metrics through DVCLive."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_specs.own_entries import remove_own

# What DVCLive writes into a run's folder `live`.
METRICS = ("train_loss", "val_loss", "val_pearson")
LIVE = ("metrics.json", "params.yaml", *(f"plots/metrics/{name}.tsv" for name in METRICS))
Row = Mapping[str, Any]
Log = Callable[[Row], None]


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
def live_metrics(folder: Path, leader: bool, history: Sequence[Row]) -> Iterator[Log]:
    """Yield what logs the row of an epoch with DVCLive; followers log nothing.

    The rows of `history` are written anew: of a run that was killed, DVCLive's files may be cut
    off. Its own way to begin anew removes whole folders, with what others have put there; so its
    files are removed here, and it is told to go on with none. In a git repository without DVC
    nothing is logged: DVCLive would turn it into a DVC one.
    """
    if not leader or _would_initialise_dvc():
        yield lambda _: None
        return
    from dvclive import Live

    if folder.is_dir():
        remove_own(folder, LIVE)
    try:
        opened = Live(str(folder), report=None, save_dvc_exp=False, dvcyaml=None, resume=True)
    except Exception as error:  # DVC opens data bases of its own, outside the run's folder
        print(f"without live metrics: {type(error).__name__}: {error}", file=sys.stderr)
        yield lambda _: None
        return
    with opened as live:

        def log(row: Row) -> None:
            for name in METRICS:
                if row[name] is not None:
                    live.log_metric(name, row[name])
            live.next_step()

        for row in history:
            log(row)
        yield log


def _would_initialise_dvc() -> bool:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".dvc").is_dir():
            return False
        if (folder / ".git").exists():
            return True
    return False
