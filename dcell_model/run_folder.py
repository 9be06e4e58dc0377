"""The folder of a training run: what lies in it, and when it may be replaced or continued."""

from pathlib import Path

from data_specs.errors import InputError
from data_specs.layout import DataLayout, refuse_foreign, write_json

MARKER = "dcell-run.json"
RUN = {"format": "dcell-run", "version": 1}
LAST, BEST, RECORD, REPORT = "last.pt", "checkpoint.pt", "train.json", "report.html"


def prepare_folder(out: Path, resume: bool) -> None:
    """Take a folder for a run: new, empty, or an earlier run's.

    Raises:
        InputError: it is something else, or there is nothing to resume.
    """
    refuse_foreign(out, "run", MARKER, RUN)
    if resume and not (out / LAST).is_file():
        raise InputError(f"{out}: no {LAST} to resume from; train without --resume first")
    write_json(out / MARKER, RUN)  # first: where it fails, an earlier run stays as it is
    if not resume:
        for name in (LAST, BEST, RECORD):
            (out / name).unlink(missing_ok=True)


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
