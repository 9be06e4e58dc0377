"""The folder of a training run: what lies in it, and when it may be replaced or continued."""

import dataclasses
import functools
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from data_specs.errors import InputError
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.output_folders import FolderKind, taken
from data_specs.outputs import output_path
from data_specs.own_entries import remove_own
from data_specs.parameters import Parameters, resolve
from dcell_model.progress import LIVE

T = TypeVar("T")
MARKER = "dcell-run.json"
RUN = {"format": "dcell-run", "version": 1}
LAST, BEST, RECORD, REPORT = "last.pt", "checkpoint.pt", "train.json", "report.html"
# What may change between a stop and its resumption without changing what is computed; the epochs
# too where the learning rate does not depend on how many there are.
FREE = {"train.patience", "train.device", "train.num_workers", "train.checkpoint_steps"}


PLOTS = ("loss.png", "comparison.png", "prediction.png")
# What evaluation and the report make of a training.
_RESULTS = (
    "metrics.json", "predictions.parquet", "baselines.json", "baselines.parquet", REPORT,
    *(f"plots/{name}" for name in PLOTS),
)  # fmt: skip
_TRAINED = (LAST, BEST, RECORD, *(f"live/{name}" for name in LIVE))
KIND = FolderKind(
    "run", (*_TRAINED, *_RESULTS, MARKER), (LAST, BEST, RECORD), MARKER, RUN,
    "continue it with --resume, or name another folder",
)  # fmt: skip


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
    if resume and not (out / LAST).is_file():
        raise InputError(f"{out}: no {LAST} to resume from; train without --resume first")
    write_json(out / MARKER, RUN)  # first: where it fails, an earlier run stays as it is
    if not resume:
        remove_own(out, (*_TRAINED, *_RESULTS))


def refuse_changes(trained_with: str, parameters: Parameters, path: Path) -> None:
    """Refuse to resume a run with other parameters than it began with.

    Args:
        trained_with: `trained_sections` as a checkpoint holds them, in JSON.
        parameters: those given now.
        path: of the checkpoint, for the message.

    Raises:
        InputError: names the first parameter that differs.
    """
    # Keys that came later have the value that was the only one.
    given = json.loads(trained_with)
    given["train"] = {"norm_samples": 0} | given["train"]
    before = flat(trained_sections(resolve(given, where=str(path))))
    now = flat(trained_sections(parameters))
    free = FREE | ({"train.epochs"} if parameters.train.schedule == "constant" else set())
    for key in sorted((before.keys() | now.keys()) - free):
        if before.get(key) != now.get(key):
            raise InputError(
                f"{path}: was trained with {key}={before.get(key)}, now it is {now.get(key)}; a "
                "run is resumed with the parameters that it began with"
            )


def trained_sections(parameters: Parameters) -> dict[str, dict[str, Any]]:
    """The sections that a trained model depends on: its own, and that of the training."""
    own = "dango" if parameters.train.model == "dango" else "model"
    names = (own, "train")
    return {name: dataclasses.asdict(getattr(parameters, name)) for name in names}


def flat(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Values by `section.key`, tuples as lists; what is no section is left out."""
    pairs = (
        (f"{name}.{key}", value)
        for name, section in sections.items() if isinstance(section, Mapping)
        for key, value in section.items()
    )  # fmt: skip
    return {key: list(value) if isinstance(value, tuple) else value for key, value in pairs}


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


def build_parameters(data: Path) -> dict[str, Any]:
    """The values that a build without DVC was made with, preset included; else none."""
    path = DataLayout(data).parameters
    values: dict[str, Any] = read_json(path) if path.is_file() else {}
    return values
