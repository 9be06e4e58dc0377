"""Progress of long work: a bar in a terminal, lines elsewhere; and live metrics."""

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from data_specs.own_entries import remove_own
from data_specs.terminal import clean_output

# The entries that DVCLive writes into a run's folder `live`.
METRICS = ("train_loss", "val_loss", "val_pearson")
LIVE = ("metrics.json", "params.yaml", *(f"plots/metrics/{name}.tsv" for name in METRICS))
Row = Mapping[str, Any]
Log = Callable[[Row], None]
SPARSE = 30.0  # seconds between two lines


class Progress(Protocol):
    """Receives the progress of the work."""

    def advance(self, count: int = 1) -> None:
        """So much more is done."""

    def say(self, line: str, short: str) -> None:
        """Print a line where lines are shown, and put `short` beside the bar from now on."""


@contextlib.contextmanager
def progress(
    what: str, total: int, *, done: int = 0, visible: bool = True, lines: bool = True
) -> Iterator[Progress]:
    """Show the progress of work, with an estimate of the remaining time.

    A bar in a terminal; elsewhere a line whenever none was written for half a minute. Where lines
    are not wanted, no bar stays behind either.

    Args:
        what: names the work.
        total: how much there is to do.
        done: the part done before; the estimate does not use it.
        visible: whether anything is shown.
        lines: whether all lines are shown, where there is no bar.
    """
    if visible and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        with _bar(what, total, done, stays=lines) as bar:
            yield bar
    else:
        yield _Lines(what, total, done, lines, SPARSE if visible else math.inf)


@contextlib.contextmanager
def _bar(what: str, total: int, done: int, *, stays: bool) -> Iterator[Progress]:
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from data_specs.console import Console

    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(),
    )  # fmt: skip
    # In a terminal rich puts streams of its own before the others, and they read colours in prints.
    bars = Progress(*columns, console=Console(), transient=not stays)
    with bars, clean_output():
        yield _Bar(bars, bars.add_task(what, total=total, completed=done))


class _Bar:
    def __init__(self, bars: Any, task: Any) -> None:
        self.bars, self.task = bars, task

    def advance(self, count: int = 1) -> None:
        self.bars.advance(self.task, count)

    def say(self, line: str, short: str) -> None:  # noqa: ARG002
        self.bars.update(self.task, description=short)


class _Lines:
    """Lines, at once, for whoever reads a pipe or a file."""

    def __init__(self, what: str, total: int, done: int, lines: bool, every: float) -> None:
        self.what, self.total, self.done, self.before = what, total, done, done
        self.lines, self.every = lines, every
        self.began = self.last = time.monotonic()

    def advance(self, count: int = 1) -> None:
        self.done += count
        self._print(f"{self.what}: {self.done / self.total:.0%}", self.every)

    def say(self, line: str, short: str) -> None:
        self.what = short
        self._print(line, 0 if self.lines and self.every < math.inf else self.every)

    def _print(self, line: str, every: float) -> None:
        now = time.monotonic()
        if now - self.last < every:
            return
        self.last = now
        new = self.done - self.before
        left = (now - self.began) / new * (self.total - self.done) if new else 0.0
        print(f"  {line}" + (f", {duration(left)} left" if left else ""), flush=True)


def duration(seconds: float) -> str:
    """A time as it is read: 4.2 s, 75 s, 12 min, 3.4 h."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


@contextlib.contextmanager
def live_metrics(folder: Path, leader: bool, history: Sequence[Row]) -> Iterator[Log]:
    """Yield a function that logs the row of an epoch with DVCLive; followers log nothing.

    The rows of `history` are written anew: of a run that was killed, DVCLive's files may be cut
    off. Its own way to begin anew removes whole folders, with files of others; so its
    files are removed here, and it starts without any. In a git repository without DVC
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

    def log(row: Row) -> None:
        for name in METRICS:
            if row[name] is not None:
                opened.log_metric(name, row[name])
        opened.next_step()

    opened.__enter__()
    try:
        for row in history:
            log(row)
        yield log
    finally:
        # All trainings of one repository share a file by which DVCLive tells editors of a step. One
        # that ends between its check and its removal by another is told that the file is gone.
        with contextlib.suppress(FileNotFoundError):
            opened.__exit__(None, None, None)


def _would_initialise_dvc() -> bool:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".dvc").is_dir():
            return False
        if (folder / ".git").exists():
            return True
    return False
