"""The required content of a checkpoint, checked before it is used.

Whoever writes a file can give it the right checksum. So every entry is held to its type, every
number to be finite, and the tensors to the shapes that cell graph and parameters ask for; these
are computed with Python's integers, so that a small file that asks for a huge model costs nothing.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data_specs.chain import ORIGINS, TRAINED_ON
from data_specs.errors import ArtefactError
from data_specs.parameters import Parameters, resolve

Shapes = Mapping[str, Sequence[int]]
MOST_NAMED = 3


def require(state: Mapping[str, Any], key: str, kind: type, where: Path) -> Any:
    """The entry of a name, of this very type.

    Raises:
        ArtefactError: it is missing, or of another type.
    """
    if key not in state:
        raise ArtefactError(f"{where}: no entry '{key}'. Train again, or use another file.")
    value = state[key]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise wrong(where, key, f"is a {type(value).__name__}; expected a {kind.__name__}")
    return value


def same(found: Any, expected: Any) -> bool:
    """Whether a value is this one, of the same type all through; tensors are never."""
    if type(found) is not type(expected):
        return False
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(same, found, expected))
    return bool(found == expected)


def wrong(where: Path, key: str, what: str) -> ArtefactError:
    """The error of an entry that no training writes."""
    return ArtefactError(f"{where}: '{key}' {what}. Train again, or use another file.")


def check(state: Mapping[str, Any], where: Path) -> None:
    """Check the types of all entries that every checkpoint has, and that numbers are finite.

    Raises:
        ArtefactError: names the first entry that no training writes.
    """
    require(state, "fingerprint", str, where)
    _all(state, "cell_graph", where, "a flat tensor of bytes", _is_file)
    for name in _all(state, "made_from", where, "text", lambda value: isinstance(value, str)):
        if name not in ORIGINS:
            raise wrong(where, f"made_from.{name}", f"is none of {', '.join(sorted(ORIGINS))}")
    if require(state, "epoch", int, where) < 0:
        raise wrong(where, "epoch", f"is {state['epoch']}; expected at least 0")
    names = require(state, "phenotypes", list, where)
    if not (names and all(isinstance(name, str) and name for name in names)):
        raise wrong(where, "phenotypes", "is not a list of names")
    if len(set(names)) < len(names):
        raise wrong(where, "phenotypes", "has a name twice")
    for key in ("target_mean", "target_std"):
        scale = require(state, key, Tensor, where)
        check_numbers(scale, key, where)
        if list(scale.shape) != [len(names)]:
            raise wrong(where, key, f"has shape {list(scale.shape)}; expected [{len(names)}], a "
                        "number for each phenotype")  # fmt: skip
    if not bool((state["target_std"] > 0).all()):
        raise wrong(where, "target_std", "is not above 0")
    _check_weights(_all(state, "model", where, "a tensor", is_plain), where)
    for number, own in enumerate(require(state, "members", list, where)):
        if not isinstance(own, dict):
            raise wrong(where, f"members.{number}", "is not made of tensors with names")
        _check_weights(_all({"members": own}, "members", where, "a tensor", is_plain), where)
    seen = require(state, "seen_genes", Tensor, where)
    if not (_is_file(seen) and bool((seen <= 1).all())):
        raise wrong(where, "seen_genes", "is not a flat tensor of bytes 0 and 1")
    _check_calibration(require(state, "calibration", dict, where), len(names), where)
    parameters_of(state, where)


def _check_weights(tensors: Mapping[str, Tensor], where: Path) -> None:
    for name, value in tensors.items():
        check_numbers(value, name, where)
        if name == "running_var" and bool((value < 0).any()):
            raise wrong(where, name, "has variances below 0")


def _check_calibration(found: Mapping[str, Any], phenotypes: int, where: Path) -> None:
    """A slope from 0 to 1, an intercept and more for each phenotype, and its errors, sorted."""
    for key in ("slope", "intercept", "per_spread"):
        line = require(found, key, Tensor, where)
        check_numbers(line, f"calibration.{key}", where)
        if list(line.shape) != [phenotypes]:
            raise wrong(where, f"calibration.{key}", f"has shape {list(line.shape)}; expected "
                        f"[{phenotypes}], a number for each phenotype")  # fmt: skip
    if bool(((found["slope"] < 0) | (found["slope"] > 1)).any()):
        raise wrong(where, "calibration.slope", "is not between 0 and 1")
    if bool((found["per_spread"] < 0).any()):
        raise wrong(where, "calibration.per_spread", "has numbers below 0")
    errors = require(found, "errors", list, where)
    if len(errors) != phenotypes:
        raise wrong(where, "calibration.errors", f"has {len(errors)} entries for {phenotypes} "
                    "phenotypes")  # fmt: skip
    for own in errors:
        check_numbers(own, "calibration.errors", where)
        if own.dim() != 1 or bool((own < 0).any() or (own.diff() < 0).any()):
            raise wrong(where, "calibration.errors", "is not sorted, from 0 upwards")


def check_numbers(value: Any, name: str, where: Path) -> None:
    """Refuse a tensor that has not only finite numbers, as float32 has them.

    Raises:
        ArtefactError: names it.
    """
    if not (is_plain(value) and value.is_floating_point()):
        found = f"tensor of {value.dtype}" if is_plain(value) else type(value).__name__
        raise wrong(where, name, f"is a {found}; expected a tensor of floating-point numbers")
    finite = value.detach().float().isfinite()
    if not bool(finite.all()):
        bad = int((~finite).sum())
        raise wrong(where, name, f"has {bad:,} of {value.numel():,} values that are not finite")


def is_plain(value: Any) -> bool:
    """Whether it is a tensor like all that training writes: dense, and with its numbers there."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
    )


def parameters_of(state: Mapping[str, Any], where: Path) -> Parameters:
    """The parameters that a checkpoint was trained with.

    Raises:
        ArtefactError: they are no JSON object.
        ParameterError: one is unknown or out of its range.
    """
    text = require(state, "parameters", str, where)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise wrong(where, "parameters", f"is no JSON: {error}") from None
    if not isinstance(values, dict) or not all(isinstance(v, dict) for v in values.values()):
        raise wrong(where, "parameters", "is not made of sections with keys")
    for section, own in values.items():
        for key, value in own.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise wrong(where, "parameters", f"has {section}.{key}={value}")
    return resolve(values, where=str(where))


def needs_build(state: Mapping[str, Any], where: Path) -> ArtefactError:
    """What is said where a checkpoint is asked alone, and its model needs the build."""
    besides = " and ".join(sorted(state["made_from"].keys() - set(TRAINED_ON)))
    needed = f"the {besides} of its build" if besides else "its build"
    return ArtefactError(
        f"{where}: the checkpoint of a {parameters_of(state, where).train.model} model, which "
        f"needs {needed}; expected a DCell. `dcell predict --data BUILD` and `dcell train` read it."
    )


def check_shapes(tensors: Mapping[str, Tensor], expected: Shapes, where: Path) -> None:
    """Compare tensors with the shapes that a model has.

    Raises:
        ArtefactError: one is missing, left over, or has another shape.
    """
    for names, what in (
        (expected.keys() - tensors.keys(), "lacks"),
        (tensors.keys() - expected.keys(), "has entries unknown to this model,"),
    ):
        if names:
            shown = ", ".join(map(repr, sorted(names, key=str)[:MOST_NAMED]))
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            raise ArtefactError(
                f"{where}: the checkpoint's tensors do not fit: it {what} {shown}{more}"
            )
    for name, shape in expected.items():
        if list(tensors[name].shape) != list(shape):
            raise ArtefactError(
                f"{where}: the checkpoint's tensors do not fit: '{name}' has shape "
                f"{list(tensors[name].shape)}; its cell graph and parameters ask for "
                f"{list(shape)!s:.60}"
            )


def _is_file(value: Any) -> bool:
    return is_plain(value) and value.dtype == torch.uint8 and value.dim() == 1


def _all(
    state: Mapping[str, Any], key: str, where: Path, what: str, holds: Callable[[Any], bool]
) -> Mapping[str, Any]:
    values: Mapping[str, Any] = require(state, key, Mapping, where)
    for name, value in values.items():
        if not isinstance(name, str) or not holds(value):
            raise wrong(where, f"{key}.{name}", f"is not {what}")
    return values
