"""How to make a run again: its commands, and the parameters that are not the defaults.

A build without DVC says what it was made with, and so does a run of `dcell train`. What DVC's
stages made, `dvc repro` makes again.
"""

import dataclasses
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_specs.layout import DataLayout
from data_specs.parameters import Parameters, Values, build_parameters, changed, resolve
from dcell_model.checkpoint import TRAINING, flat

_FLAGS = {"ontology": "--ontology", "annotations": "--annotations", "gene_info": "--gene-info",
          "genotypes": "--genotypes", "test_genotypes": "--test-genotypes"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Repetition:
    """Everything that a reader needs to repeat a run.

    Attributes:
        commands: to be run one after the other; none if the build does not say how it was made.
        parameters: `section.key` and value of all that are not the defaults, presets resolved.
    """

    commands: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...]


def repetition(data: Path, run: Path, trained_with: Values, commit: str) -> Repetition:
    """The commands of a build and of a run on it.

    Args:
        data: folder of the build.
        run: folder of the run.
        trained_with: the parameters that training was given, as its record holds them.
        commit: the code's, as the run recorded it.
    """
    parameters = resolve(trained_with, where=str(run))
    plain = changed(dataclasses.replace(parameters, preset=None))
    listed = tuple((key, _text(value)) for key, value in flat(plain).items())
    if DataLayout(data).parameters.is_file():
        return Repetition(tuple(_commands(data, run, build_parameters(data), parameters)), listed)
    checkout = data.resolve().parent
    if run.resolve() == checkout / "results" and (checkout / "dvc.yaml").is_file():
        known = "" if commit.startswith("unknown") else f"git checkout {commit.rstrip('+')}"
        return Repetition((*filter(None, [known]), "dvc repro"), listed)
    return Repetition((), listed)


def _commands(data: Path, run: Path, given: Mapping[str, Any], now: Parameters) -> list[str]:
    build, train = ["dcell-data", "build"], ["dcell", "train", "--data", str(data)]
    sources = dict(given.get("sources", {}))
    for key, flag in _FLAGS.items():
        paths = sources.pop(key, None)
        if paths:
            build += [flag, *([paths] if isinstance(paths, str) else paths)]
    if given.get("preset"):
        build += ["--preset", str(given["preset"])]
    rest = {**given, "sources": sources}
    build += _set(flat(rest).items())
    # Training takes the parameters of the build from it.
    before = flat(resolve(given, where=str(data)).to_dict())
    train += _set(
        (key, value)
        for key, value in flat(now.to_dict()).items()
        if key.startswith(TRAINING) and before[key] != value
    )
    return [_lines([*words, "--out", str(out)]) for words, out in ((build, data), (train, run))]


def _lines(words: list[str]) -> str:
    """A command for a shell, each option on a line of its own."""
    return "".join(f" \\\n    {word}" if word.startswith("--") else f" {word}"
                   for word in map(shlex.quote, words)).strip()  # fmt: skip


def _set(pairs: Any) -> list[str]:
    words = [f"{key}={_text(value)}" for key, value in pairs]
    return ["--set", *words] if words else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
