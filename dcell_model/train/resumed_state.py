"""The state of training in `last.pt`: checked before a run goes on from it."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dcell_model.checkpoint import Checkpoint, check_numbers, check_shapes, require, same, wrong
from dcell_model.models import Network
from dcell_model.train.state import PARTS

# An epoch's row; optional values are None without a validation part.
ROW = ("train_loss", "seconds", "lr")
OPTIONAL = ("val_loss", "val_pearson")
MOMENTS = ("exp_avg", "exp_avg_sq")
SCALER = {"scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"}


def take_up(
    state: Checkpoint, model: Network, optimizer: torch.optim.Optimizer, where: Path
) -> None:
    """Put the weights and the optimiser's state of `last.pt` into a run's own.

    Args:
        state: as `checkpoint.load` gives it.
        model: of the run, as its parameters make it.
        optimizer: of the model.
        where: the file, for messages.

    Raises:
        ArtefactError: an entry is missing, or is none that this training writes.
    """
    expected_state = {name: list(value.shape) for name, value in model.state_dict().items()}
    check_shapes(state["model"], expected_state, where)
    _check_history(state, where)
    _check_optimizer(state, optimizer, where)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])


def _check_history(state: Checkpoint, where: Path) -> None:
    history = require(state, "history", list, where)
    for epoch, row in enumerate(history, start=1):
        name = f"history, epoch {epoch}"
        if not isinstance(row, dict) or not same(row.get("epoch"), epoch):
            raise wrong(where, name, "is not the row of that epoch")
        for key in (*ROW, *OPTIONAL):
            value = row.get(key)
            # A model may have predicted NaN for the validation part: that is recorded, not used.
            told = key in OPTIONAL and key in row and isinstance(value, float | None)
            if not told and not _is_number(value):
                raise wrong(where, name, f"has {key}={value!r:.60}; expected a number")
    best, under_way = (require(state, key, dict, where) for key in ("best", "under_way"))
    if not _is_count(best.get("epoch")) or best["epoch"] > len(history):
        raise wrong(where, "best", f"is epoch {best.get('epoch')!r:.60} of {len(history)}")
    value = best.get("value")
    if not (_is_number(value) or same(value, -math.inf)) or not isinstance(best.get("sha256"), str):
        raise wrong(where, "best", "lacks the value or the SHA-256 of its epoch")
    counts = ("steps", "samples", *(["processes"] if not same(under_way.get("steps"), 0) else []))
    if not all(_is_count(under_way.get(key)) for key in counts):
        raise wrong(where, "under_way", "does not count the steps and samples of its epoch")
    if not _is_number(under_way.get("loss")):
        raise wrong(where, "under_way", f"has loss={under_way.get('loss')!r:.60}")
    parts = under_way.get("parts", [0.0] * len(PARTS))  # not of early versions
    fits = isinstance(parts, list) and len(parts) == len(PARTS)
    if not fits or not all(isinstance(part, float) for part in parts):  # NaN where not known
        raise wrong(where, "under_way", f"has parts={parts!r:.60}")
    if not isinstance(state.get("preparation", {}), dict):
        raise wrong(where, "preparation", "is not made of names and values")
    scaler = state.get("scaler", {})
    if not isinstance(scaler, dict) or scaler.keys() not in (set(), SCALER):
        raise wrong(where, "scaler", f"has not the entries {', '.join(sorted(SCALER))}")
    if not all(map(_is_number, scaler.values())) or scaler.get("scale", 1) <= 0:
        raise wrong(where, "scaler", "is not made of numbers, with a scale above 0")


def _check_optimizer(state: Checkpoint, optimizer: torch.optim.Optimizer, where: Path) -> None:
    given, expected_state = require(state, "optimizer", dict, where), optimizer.state_dict()
    groups, of_parameter = given.get("param_groups"), given.get("state")
    if not (isinstance(groups, list) and len(groups) == 1 and isinstance(groups[0], dict)):
        raise wrong(where, "optimizer", "has not one group of parameters")
    for key, value in expected_state["param_groups"][0].items():
        found = groups[0].get(key, value)  # a key that torch came to know later
        if key in ("lr", "weight_decay"):  # the run sets them at every step
            if not _is_number(found) or found < 0:
                raise wrong(where, f"optimizer.{key}", f"is {found!r:.60}")
        elif not same(found, value):
            raise wrong(where, f"optimizer.{key}", f"is {found!r:.60}; expected {value!r:.60}")
    if groups[0].keys() - expected_state["param_groups"][0].keys() or "params" not in groups[0]:
        raise wrong(where, "optimizer", "is that of another optimiser")
    parameters = optimizer.param_groups[0]["params"]
    if not isinstance(of_parameter, dict) or of_parameter.keys() - set(range(len(parameters))):
        raise wrong(where, "optimizer.state", "is of other parameters")
    for index, moments in of_parameter.items():
        _check_moments(moments, parameters[index], f"optimizer.state.{index}", where)


def _check_moments(moments: Any, parameter: Tensor, name: str, where: Path) -> None:
    if not isinstance(moments, Mapping) or moments.keys() != {"step", *MOMENTS}:
        raise wrong(where, name, f"has not the entries step, {', '.join(MOMENTS)}")
    for key, value in moments.items():
        check_numbers(value, f"{name}.{key}", where)
        expected = [] if key == "step" else list(parameter.shape)
        if list(value.shape) != expected:
            raise wrong(
                where, f"{name}.{key}", f"has shape {list(value.shape)}; expected {expected}"
            )
        if key != "exp_avg" and bool((value < 0).any()):
            raise wrong(where, f"{name}.{key}", "has numbers below 0")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
