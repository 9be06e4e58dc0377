"""The parameters of a run: its build's, with those of the command line over them."""

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_specs.errors import ParameterError
from data_specs.parameters import (
    MODEL_SECTIONS,
    PRESETS,
    SECTIONS,
    Parameters,
    Values,
    build_parameters,
    override,
    read,
    refuse_without_effect,
    resolve,
)
from dcell_model.checkpoint import TRAINING
from dcell_model.models import MODELS, record_of


def training_parameters(
    data: Path,
    assignments: Sequence[str] = (),
    *,
    params: Path | None = None,
    where: str = "dcell train",
    options: Mapping[str, str] | None = None,
) -> tuple[Parameters, list[str]]:
    """The parameters of a run on a build.

    Args:
        data: folder of the build.
        assignments: `section.key=value` and `preset=name`, over all others.
        params: a file in place of the build's parameters.
        where: the name of the command in messages.
        options: parameters that the command takes from an option of its own.

    Returns:
        The parameters, those of the build as it was made; and notes about values of preset or file
        that have no effect, since the build was made with others.

    Raises:
        ParameterError: an unknown parameter or value, or one that belongs to the build.
    """
    refuse_for_training(assignments, where, options)
    of_build = build_parameters(data)
    given = override(read(params) if params else of_build, assignments)
    parameters = resolve(given, where=str(params or where))
    record_of(parameters.train.model, str(params or where))
    if not of_build:
        return parameters, []
    made = resolve(of_build, where=str(data))
    built = {name: getattr(made, name) for name in SECTIONS if name not in TRAINING}
    asked: list[tuple[str, Values]] = [(str(params), given)] if params else []
    if parameters.preset and parameters.preset != of_build.get("preset"):
        asked.append((f"preset {parameters.preset}", PRESETS[parameters.preset]))
    notes = [
        f"{source}: {key} is {_shown(value)}, but the build {data} was made with {_shown(stays)}, "
        "which stays; only another build changes that"
        for source, values in asked
        for key, value, stays in _other_than_built(values, built)
    ]
    return dataclasses.replace(parameters, **built), notes


def _other_than_built(
    values: Mapping[str, Any], built: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Key, value and the build's value, of values that differ; who does the work is no matter."""
    fitted = resolve(values)
    for section in built:
        for name in values.get(section) or () if section != "dask" else ():
            value, stays = (getattr(s, name) for s in (getattr(fitted, section), built[section]))
            if value != stays:
                yield f"{section}.{name}", value, stays


def _shown(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


def refuse_for_training(
    assignments: Iterable[str], where: str, options: Mapping[str, str] | None = None
) -> None:
    """Refuse parameters that training does not read.

    Raises:
        ParameterError: names the first one, and the sections that are read.
    """
    refuse_without_effect(
        assignments, (*TRAINING, "preset"), where,
        "it is a parameter of builds, and this build is finished; build again with it",
        options,
    )  # fmt: skip


def refuse_of_other_model(assignments: Iterable[str], model: str) -> None:
    """Refuse parameters that only another model reads.

    Raises:
        ParameterError: names it, and the model that reads it.
    """
    for assignment in assignments:
        key = assignment.partition("=")[0]
        if not is_read_by(model, key):
            reader = next(name for name in MODELS if is_read_by(name, key))
            raise ParameterError(
                f"--set {assignment}: has no effect with train.model={model}; omit it, or "
                f"train the other model (--model {reader})"
            )


def is_read_by(model: str, key: str) -> bool:
    """Whether a parameter, `section.key`, has an effect on this model."""
    section = key.partition(".")[0]
    of_another = section in MODEL_SECTIONS.values() and section != MODEL_SECTIONS.get(model)
    return not of_another and key not in MODELS[model].unread


def print_notes(notes: Sequence[str]) -> None:
    """Print notes on the standard error."""
    for note in notes:
        print(f"note: {note}", file=sys.stderr, flush=True)
