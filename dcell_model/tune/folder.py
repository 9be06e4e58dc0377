"""The folder of a tuning: its content, and when a search in it goes on.

- `dcell-tune.json`: what is searched, on which data; a search goes on only as it began
- `study.journal`: every trial, as Optuna keeps it
- `trials/0007/`: the run of the best trial, and of the one under way; those of others are removed
- `repeats/best-01/result.json`: a setting trained with another seed
- `parameters.yaml`, `tune.json`, `plots/`: what came of it
"""

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from data_specs.chain import digest_of
from data_specs.errors import InputError
from data_specs.layout import MARKERS, DataLayout, read_json, write_json
from data_specs.output_folders import FolderKind
from data_specs.outputs import written
from data_specs.own_entries import is_own, remove_own
from data_specs.parameters import Parameters, changed
from dcell_model.checkpoint import flat, refuse_difference, run_folder, trained_sections
from dcell_model.models import record_of
from dcell_model.train import FREE
from dcell_model.tune.space import Space

MARKER = MARKERS["tuning"]
JOURNAL, PARAMETERS, RECORD = "study.journal", "parameters.yaml", "tune.json"
RESULT = "result.json"
PLOTS = ("history.png", "parameters.png")
FORMAT = {"format": "dcell-tune", "version": 2}
MOST_TRIALS = 9999  # names of folders have so many digits
_RUNS = tuple(
    name.replace("#", "[0-9]") for name in ("trials/####", "repeats/default-##", "repeats/best-##")
)
# A search goes on rather than being replaced; `prepare` asks before one begins anew.
KIND = FolderKind(
    "tuning",
    (
        MARKER, JOURNAL, PARAMETERS, RECORD, *(f"plots/{name}" for name in PLOTS),
        *(f"{run}/{name}" for run in _RUNS for name in (*run_folder.KIND.own, RESULT)),
    ),
    (), MARKER, FORMAT,
)  # fmt: skip
_MAY_CHANGE = FREE - {"train.patience"}


def describe(layout: DataLayout, parameters: Parameters, space: Space, seed: int) -> dict[str, Any]:
    """The content of the marker: everything on which the trials depend."""
    made_from = record_of(parameters.train.model).made_from
    return {
        **FORMAT,
        "seed": seed,
        "search": {key: str(values) for key, values in space.items()},
        "settings": changed(parameters),
        "trained_with": json.loads(json.dumps(trained_sections(parameters))),
        "data": {name: digest_of(layout, name) for name in made_from},
    }


def prepare(out: Path, description: dict[str, Any], *, overwrite: bool) -> None:
    """Begin a search, or go on with the same; with `overwrite` one begins anew.

    Raises:
        InputError: another search is there; names the difference.
    """
    if (out / MARKER).is_file():
        if overwrite:  # all but the marker, which goes on saying whose folder it is
            remove_own(out, [name for name in KIND.own if name != MARKER])
        else:
            _refuse_others(out, read_json(out / MARKER), description)
    write_json(out / MARKER, description)


def _refuse_others(out: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    if before.get("version") != FORMAT["version"]:
        raise InputError(
            f"{out}: holds a search of version {before.get('version')!r:.60}; expected "
            f"{FORMAT['version']}. Another version of dcell began it, maybe with other defaults: "
            "its parameters.yaml and tune.json hold, but begin a new one in another folder, or "
            "replace it with --overwrite."
        )
    refuse_difference(
        _compared(before), _compared(now), f"{out}: holds a search with",
        f"a search goes on as it began ({written(out, [Path(MARKER)])}). Name another folder, or "
        "replace it with --overwrite.",
    )  # fmt: skip


def _compared(description: dict[str, Any]) -> dict[str, Any]:
    """The values that must stay the same, by the names that a user knows."""
    given, defaults = description["trained_with"], Parameters().to_dict()
    # A parameter of a later version than the search's had its default in effect before.
    later = {name: own for name, own in defaults.items() if isinstance(given.get(name), dict)}
    fixed = flat(later) | flat(given)
    return {
        "--seed": description["seed"],
        **{f"--search {key}": values for key, values in description["search"].items()},
        **{key: value for key, value in fixed.items() if key not in _MAY_CHANGE},
        **{f"the data's {key}": digest for key, digest in description["data"].items()},
    }


def trial_folder(out: Path, number: int) -> Path:
    """Where a trial is trained."""
    return out / "trials" / f"{number:04}"


def keep_only(out: Path, numbers: Iterable[int], best: int | None) -> None:
    """Remove the runs of all trials but these; of the best, keep the checkpoint of its best epoch.

    What somebody else has put there stays.
    """
    kept = {*numbers, *([best] if best else [])}
    trials = out / "trials"
    for folder in sorted(trials.iterdir()) if trials.is_dir() else []:
        if is_own(folder.relative_to(out) / RESULT, KIND.own) and int(folder.name) not in kept:
            remove_run(folder)
    if best:
        (trial_folder(out, best) / run_folder.LAST).unlink(missing_ok=True)


def remove_run(folder: Path) -> None:
    """Remove a training's files; the folder too, if nothing else is in it."""
    remove_own(folder, run_folder.KIND.own)
    with contextlib.suppress(OSError):  # something else is in it
        folder.rmdir()
