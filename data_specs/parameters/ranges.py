"""Ranges of parameters: what stands at a field, how a value is held to it, what goes together.

A field says its range in its type: `lr: Annotated[float, Gt(0), Le(10)]`, by the marks of the
library `annotated-types`; `_EXPECTED` has the words for what a `Predicate` asks.
"""

import dataclasses
import datetime
import math
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from annotated_types import BaseMetadata, Ge, Gt, Le, Lt, MinLen, Predicate

from data_specs.errors import ParameterError
from data_specs.gene_states import DELETED, LARGEST_STATE, is_state
from data_specs.parameters.presets import SYSTEMATIC_NAME

MOST = 10**9  # of anything that is counted


def _writable(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:  # half a character, which YAML's escapes can write
        return False


def _different(values: tuple[Any, ...]) -> bool:
    return len(set(values)) == len(values)


def _date(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return False
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _pattern(text: str) -> bool:
    """Whether Polars, which uses it, can read it; Python's own expressions differ a little."""
    if text == SYSTEMATIC_NAME:  # by far the most frequent: spare the import
        return True
    import polars as pl

    try:
        pl.select(pl.lit("").str.contains(f"^(?:{text})$"))
    except pl.exceptions.ComputeError:
        return False
    return True


def _scheduler(text: str) -> bool:
    return text == "local" or ":" in text


_EXPECTED = {
    _writable: "text that UTF-8 can hold, without NUL",
    _different: "values that all differ",
    _date: "YYYY-MM-DD",
    _pattern: "a regular expression as the Rust crate regex reads it",
    is_state: "a state other than 1, which is that of the wild type",
    _scheduler: "local, or an address such as tcp://host:8786",
}
DIFFERENT = Predicate(_different)

Seed = Annotated[int, Ge(0), Lt(2**32)]
Seeds = Annotated[tuple[Seed, ...], DIFFERENT]
Count = Annotated[int, Ge(1), Le(MOST)]
Whole = Annotated[int, Ge(0), Le(MOST)]
Width = Annotated[int, Ge(1), Le(100_000)]
Depth = Annotated[int, Ge(1), Le(1000)]
Embedding = Annotated[int, Ge(0), Le(10_000)]
Crossed = Annotated[int, Ge(4), Le(10_000)]
Workers = Annotated[int, Ge(1), Le(10_000)]
Rate = Annotated[float, Gt(0), Le(10)]
Weight = Annotated[float, Ge(0), Le(10**6)]
Share = Annotated[float, Ge(0), Lt(1)]
Text = Annotated[str, MinLen(1), Predicate(_writable)]
Texts = Annotated[tuple[Text, ...], DIFFERENT]
Date = Annotated[str, Predicate(_date)]
Pattern = Annotated[Text, Predicate(_pattern)]
Scheduler = Annotated[Text, Predicate(_scheduler)]
GafColumns = Annotated[tuple[Annotated[int, Ge(1), Le(17)], ...], MinLen(1), DIFFERENT]
PruningStep = Literal["annotated", "containment", "redundant", "transitive_reduction"]
PruningSteps = Annotated[tuple[PruningStep, ...], DIFFERENT]
SplitMethod = Literal["random", "query", "gene"]
Control = Literal["none", "genes", "terms"]
Device = Literal["auto", "cpu", "cuda"]
CONTROLS = ("genes", "terms")  # the parts of a hierarchy that can be randomised
Orders = Annotated[tuple[Annotated[int, Ge(1), Le(1000)], ...], DIFFERENT]
AlleleState = Annotated[float, Ge(DELETED), Le(LARGEST_STATE), Predicate(is_state)]
AlleleStates = dict[Literal["ts", "damp", "other"], AlleleState]
RidgeAlphas = Annotated[tuple[Annotated[float, Gt(0), Le(10**9)], ...], MinLen(1), DIFFERENT]


def check_bounds(value: Any, marks: Iterable[Any], where: str) -> None:
    """Hold a value of the right type to the marks at its field; a float is finite, always.

    Raises:
        ParameterError: says where, what was found and what was expected.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise ParameterError(f"{where} is {value}; expected a finite number")
    marks = [mark for mark in marks if isinstance(mark, BaseMetadata)]
    if all(_holds(value, mark) for mark in marks):
        return
    broken = next(mark for mark in marks if not _holds(value, mark))
    if isinstance(broken, Predicate):
        expected = _EXPECTED[broken.func]
    elif isinstance(broken, MinLen):
        expected = "text that is not empty" if isinstance(value, str) else "at least one value"
    else:  # all bounds of the range together
        expected = " and ".join(words for mark in marks if (words := _bound(mark)))
    found = list(value) if isinstance(value, tuple) else value
    raise ParameterError(f"{where} is {found!r}; expected {expected}")


def _holds(value: Any, mark: Any) -> bool:
    match mark:
        case Gt(gt=bound):
            return bool(value > bound)
        case Ge(ge=bound):
            return bool(value >= bound)
        case Lt(lt=bound):
            return bool(value < bound)
        case Le(le=bound):
            return bool(value <= bound)
        case MinLen(min_length=least):
            return len(value) >= least
        case Predicate(func=holds):
            return bool(holds(value))
    raise AssertionError(f"no rule for {mark}")


def _bound(mark: Any) -> str:
    match mark:
        case Gt(gt=bound):
            return f"more than {bound}"
        case Ge(ge=bound):
            return f"at least {bound}"
        case Lt(lt=bound):
            return f"less than {bound}"
        case Le(le=bound):
            return f"at most {bound}"
    return ""


OF_MODEL = "model"  # a section's metadata: the model that alone reads it


def weight_decay_section(parameters: Any) -> str:
    """The section whose `weight_decay` a training takes: the model's own, if that has one."""
    for key in dataclasses.fields(parameters):
        section = getattr(parameters, key.name)
        if key.metadata.get(OF_MODEL) == parameters.train.model and hasattr(
            section, "weight_decay"
        ):
            return key.name
    return "train"


def check_together(parameters: Any, where: str) -> None:
    """Refuse values that do not go together.

    Args:
        parameters: all sections, `data_specs.parameters.Parameters`, each value in its range.
        where: the name of the source of the values in error messages.

    Raises:
        ParameterError: names the keys, their values, and the expected ones.
    """
    ontology, split, annotations = parameters.ontology, parameters.split, parameters.annotations
    train = parameters.train
    where = f"{where}: "
    if "is_a" not in ontology.relations:
        raise ParameterError(
            f"{where}ontology.relations is {list(ontology.relations)}; is_a is always needed"
        )
    if split.val + split.test >= 1:
        raise ParameterError(
            f"{where}split.val {split.val} and split.test {split.test} leave nothing to train on"
        )
    both = set(annotations.exclude_evidence) & set(annotations.include_evidence or ())
    if both:
        raise ParameterError(
            f"{where}annotations.exclude_evidence and annotations.include_evidence both name "
            f"{', '.join(sorted(both))}; omit it from one of them"
        )
    if train.norm_samples == 1:
        raise ParameterError(
            f"{where}train.norm_samples is 1; expected at least 2, or 0 for running averages"
        )
    for name in ("dango", "multigraph"):
        own = getattr(parameters, name)
        if own.width % own.heads:
            raise ParameterError(
                f"{where}{name}.width is {own.width}; expected a multiple of {name}.heads, "
                f"{own.heads}"
            )
    model = parameters.model
    if model.attention_heads and model.attention_width % model.attention_heads:
        raise ParameterError(
            f"{where}model.attention_width is {model.attention_width}; expected a multiple of "
            f"model.attention_heads, {model.attention_heads}"
        )
    section = weight_decay_section(parameters)
    decay = getattr(parameters, section).weight_decay
    if decay and train.lr * decay >= 1:  # a step would turn the sign of every weight
        raise ParameterError(
            f"{where}train.lr {train.lr} times {section}.weight_decay {decay} is "
            f"{train.lr * decay:g}; expected less than 1, the share of a weight that a step takes"
        )
