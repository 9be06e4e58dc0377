"""The folder of a training run: its content, and when it may be replaced or continued."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from data_specs.errors import InputError
from data_specs.layout import MARKERS, DataLayout, write_json
from data_specs.output_folders import FolderKind, taken
from data_specs.outputs import output_path
from data_specs.own_entries import remove_own
from dcell_model.machine import LIVE

T = TypeVar("T")
MARKER = MARKERS["run"]
RUN = {"format": "dcell-run", "version": 1}
LAST, BEST, RECORD, REPORT = "last.pt", "checkpoint.pt", "train.json", "report.html"
FIT = "overfit.parquet"  # predictions by epoch, of a run with `train.overfit`
MEMBERS = "members"  # of an ensemble, each in the folder of its number

PLOTS = ("loss.png", "comparison.png", "prediction.png", "overfit.png")
# The results of evaluation and report on a training.
_RESULTS = (
    "metrics.json", "scores.json", "predictions.parquet", "baselines.json", "baselines.parquet",
    REPORT,
    *(f"plots/{name}" for name in PLOTS),
)  # fmt: skip
_TRAINED = (LAST, BEST, RECORD, FIT, *(f"live/{name}" for name in LIVE))
_KEPT = (LAST, BEST, RECORD)
_OF_MEMBERS = tuple(f"{MEMBERS}/[0-9]*/{name}" for name in (*_TRAINED, MARKER))
KIND = FolderKind(
    "run", (*_TRAINED, *_RESULTS, *_OF_MEMBERS, MARKER),
    (*_KEPT, *_RESULTS, *(f"{MEMBERS}/[0-9]*/{name}" for name in _KEPT)), MARKER, RUN,
    "continue it with --resume, or name another folder",
)  # fmt: skip


def member_folder(out: Path, number: int) -> Path:
    """Where a member of an ensemble is trained."""
    return out / MEMBERS / str(number)


def lasts_of(out: Path) -> list[Path]:
    """The files from which a run goes on: one, or one of each member that was begun."""
    if (out / LAST).is_file():
        return [out / LAST]
    found = [path for path in (out / MEMBERS).glob(f"[0-9]*/{LAST}") if path.is_file()]
    return sorted(found, key=lambda path: int(path.parent.name))


def holding_out(run: Callable[..., T]) -> Callable[..., T]:
    """Let a training hold its folder, `out`, from before it reads anything until it ends.

    With `overwrite` or `resume` an earlier run's may be taken. Of several processes one asks.
    """

    @functools.wraps(run)
    def holding(data: Path, out: Path, *given: Any, **named: Any) -> T:
        out, overwrite = output_path(out), named.pop("overwrite", False)
        if int(os.environ.get("RANK", "0")):  # of torchrun
            return run(data, out, *given, **named)
        with taken(out, KIND, overwrite=overwrite or named.get("resume", False)):
            return run(data, out, *given, **named)

    return holding


def prepare_folder(out: Path, resume: bool) -> None:
    """Begin or continue a run in a folder that has been taken for it.

    Raises:
        InputError: there is nothing to resume.
    """
    if resume and not lasts_of(out):
        raise InputError(f"{out}: no {LAST} to resume from; train without --resume first")
    write_json(out / MARKER, RUN)  # first: where it fails, an earlier run stays as it is
    if not resume:
        remove_own(out, (*_TRAINED, *_RESULTS, *_OF_MEMBERS))


def ledger_of(data: Path, run: Path) -> Path:
    """The ledger of a run's build: in the build, or among the results of DVC's stages.

    Raises:
        InputError: there is none.
    """
    places = (DataLayout(data).ledger, run / "ledger.json",
              data.resolve().parent / "results" / "ledger.json")  # fmt: skip
    for place in places:
        if place.is_file():
            return place
    raise InputError(f"{data}: no ledger; looked for {', '.join(map(str, places))}")
