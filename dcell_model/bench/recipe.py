"""Trains a build with every combination of some settings and records how each predicts.

Settings are judged by the validation part of each split. The scores of the test part are recorded
beside them, for the settings that are chosen in the end, and choose nothing.
"""

import itertools
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from data_specs.command_line import Build, Metavar, OutputFile, run_command
from data_specs.layout import read_json, write_json
from data_specs.parameters import Count, Seeds, build_parameters, override, resolve
from data_specs.tables import PARTS
from dcell_model import train
from dcell_model.baselines import read_samples
from dcell_model.bench.command import provenance
from dcell_model.bench.process import measured
from dcell_model.predict import open_run
from dcell_model.scores import scores

PROGRAM = "python -m dcell_model.bench.recipe"
Row = dict[str, Any]


def combinations(axes: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All settings with one value of each axis `section.key=a,b,c`; the last varies first."""
    named = [axis.partition("=") for axis in axes]
    choices = [[f"{key}={value}" for value in values.split(",")] for key, _, values in named]
    yield from itertools.product(*choices)


def measure(data: Path, settings: Sequence[str], seed: int, split: str | None) -> Row:
    """Train once, and score the best epoch on the validation and the test part."""
    parameters = resolve(
        override(build_parameters(data), [*settings, f"train.seed={seed}"]), where="recipe"
    )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        record = train.run(data, out, parameters, split=split, lines=False)
        run = open_run(out, data, split=split)
    _, targets, parts = read_samples(run.layout, parameters)
    found: Row = {"settings": list(settings), "seed": seed, "split": split or "split"}
    for part in ("val", "test"):
        inside = np.flatnonzero(parts == PARTS.index(part))
        predicted = run.predict_samples(inside).values.numpy()
        found[part] = scores(predicted[:, 0], targets[inside, 0])
    seconds = sum(row["seconds"] for row in record["history"])
    return found | {
        "best_epoch": record["best_epoch"], "epochs": record["epochs"],
        "engine": record["engine"], "seconds": round(seconds, 1),
        "val_pearson": [round(row["val_pearson"] or 0, 4) for row in record["history"]],
    }  # fmt: skip


def run(
    data: Path,
    out: Path,
    settings: Sequence[tuple[str, ...]],
    *,
    seeds: Sequence[int] = (0,),
    splits: bool = False,
    jobs: int = 1,
    command: Sequence[str] = (),
) -> Row:
    """Measure the rows that `out` does not hold yet; every result is written at once.

    Args:
        data: folder of a build.
        out: JSON record; rows in it are kept.
        settings: those to try, each a tuple of assignments.
        seeds: of training; with `splits` also the numbers of the splits `random-SEED`.
        splits: whether each seed has a split of its own.
        jobs: runs at a time, each a process with one thread.
        command: how this was called, for the record.
    """
    record: Row = {**provenance(command), "data": data.name, "commands": [], "rows": []}
    if out.is_file():
        before = read_json(out)
        record |= {"rows": before["rows"], "commands": before["commands"]}
    record["commands"].append(" ".join(command))
    done = {_key(row["settings"], row["seed"], row["split"]) for row in record["rows"]}
    todo = [
        (setting, seed, f"random-{seed}" if splits else None)
        for seed in seeds
        for setting in settings
    ]
    todo = [one for one in todo if _key(one[0], one[1], one[2] or "split") not in done]
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(_in_a_process, data, *one) for one in todo]
        for future in as_completed(waiting):
            row = future.result()
            record["rows"].append(row)
            write_json(out, record)
            print(_shown(row), flush=True)
    return record


def _key(settings: Sequence[str], seed: int, split: str) -> tuple[Any, ...]:
    return (*sorted(settings), seed, split)


def _in_a_process(data: Path, settings: Sequence[str], seed: int, split: str | None) -> Row:
    one = json.dumps([str(data), settings, seed, split])
    row: Row = measured("dcell_model.bench.recipe", ["--one", one], {"OMP_NUM_THREADS": "1"})
    return row


def _shown(row: Row) -> str:
    val, test = row["val"], row["test"]
    return (
        f"{' '.join(row['settings'])} seed {row['seed']}: val Pearson {val['pearson'] or 0:.3f} "
        f"R² {val['r2'] or 0:+.3f}, test {test['pearson'] or 0:.3f} {test['r2'] or 0:+.3f}, epoch "
        f"{row['best_epoch']} of {row['epochs']}, {row['seconds']:.0f} s"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Train a build with every combination of some settings."""

    data: Build = Path("data")
    axes: Annotated[
        tuple[str, ...], Metavar("KEY=A,B"), "all combinations of these values"
    ] = ()  # fmt: skip
    seeds: Seeds = (0,)
    splits: Annotated[bool, "each seed on its own split, of dcell-data split"] = False
    jobs: Count = 1
    out: Annotated[OutputFile, "record to write"] = Path("recipe.json")
    one: Annotated[str | None, Metavar("JSON"), "one row; the program calls itself so"] = None

    def __call__(self) -> None:
        if self.one:
            data, settings, seed, split = json.loads(self.one)
            print(json.dumps(measure(Path(data), settings, seed, split)))
            return
        run(
            self.data, self.out, list(combinations(self.axes)), seeds=self.seeds,
            splits=self.splits, jobs=self.jobs, command=[*PROGRAM.split(), *sys.argv[1:]],
        )  # fmt: skip


main = partial(run_command, PROGRAM, Recipe)

if __name__ == "__main__":
    main()
