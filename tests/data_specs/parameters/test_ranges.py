"""Every parameter, with values inside its range and far out of it."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from data_specs.errors import ParameterError
from data_specs.parameters.changes import changed
from data_specs.parameters.sections import KEYS, SECTIONS, Parameters, resolve
from tests.conftest import examples

HINTS = {
    f"{section}.{name}": hint
    for section, cls in SECTIONS.items()
    for name, hint in get_type_hints(cls, include_extras=True).items()
}
FITTING_TEXT = {
    "annotations.date_cutoff": st.dates().map(str),
    "annotations.gene_id_pattern": st.sampled_from(["Y.*", r"\p{L}+", "(a|b){2}"]),
    "dask.scheduler": st.sampled_from(["local", "tcp://host:8786", "127.0.0.1:1"]),
}
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.integers(-3, 20) | st.floats()
    | st.text(max_size=8) | st.dates() | st.datetimes() | st.binary(max_size=3)
    | st.sampled_from([10**30, -(10**400), "none", "nan", "inf", "1e-3", "\x00", "\ud800", "("])
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
NOT_TOGETHER = ("is_a is always", "leave nothing", "multiple of", "a step takes", "averages")


def value_of(parameters: Parameters, key: str) -> Any:
    section, name = key.split(".")
    return getattr(getattr(parameters, section), name)


def with_value(key: str, value: Any) -> Parameters:
    section, name = key.split(".")
    return resolve({section: {name: value}})


@pytest.mark.parametrize("key", KEYS)
@settings(max_examples=examples(60))
@given(value=ANYTHING)
def test_anything_is_taken_as_it_is_or_refused_by_name(key: str, value: Any) -> None:
    refusal = ""
    try:
        parameters = with_value(key, value)
    except ParameterError as error:
        refusal = str(error)
    if refusal:
        assert key in refusal
        assert len(refusal) < 1000
        return
    assert resolve(parameters.to_dict()) == parameters  # also as the JSON that is kept of it
    assert resolve(changed(parameters)) == dataclasses.replace(parameters, dask=Parameters().dask)
    found = value_of(parameters, key)
    for item in found if isinstance(found, tuple) else (found,):
        assert not isinstance(item, float) or math.isfinite(item)
        assert item != ""


@pytest.mark.parametrize("key", KEYS)
@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.filter_too_much])
@given(data=st.data())
def test_what_lies_in_the_range_is_taken(key: str, data: st.DataObject) -> None:
    drawn = data.draw(FITTING_TEXT.get(key, st.from_type(HINTS[key])))
    assume(drawn != "none")
    refusal = ""
    try:
        assert value_of(with_value(key, drawn), key) == drawn
    except ParameterError as error:
        refusal = str(error)
    # At most it does not go together with the default of another one.
    assert not refusal or any(words in refusal for words in NOT_TOGETHER), refusal


def parts(hint: Any) -> Iterator[Any]:
    """A type and the types that it is made of."""
    yield hint
    for part in get_args(hint):
        yield from parts(part)


def bounds(key: str) -> list[Any]:
    """The bounds that stand at a field, its items' included."""
    marks = (mark for part in parts(HINTS[key]) for mark in getattr(part, "__metadata__", ()))
    return [mark for mark in marks if isinstance(mark, Gt | Ge | Lt | Le)]


NUMBERS = [key for key in KEYS if any(part in (int, float) for part in parts(HINTS[key]))]


@pytest.mark.parametrize("key", NUMBERS)
def test_every_number_has_bounds_and_keeps_them(key: str) -> None:
    marks = bounds(key)
    assert any(isinstance(mark, Gt | Ge) for mark in marks)
    outside = [
        mark.gt if isinstance(mark, Gt) else mark.ge - 1 if isinstance(mark, Ge)
        else mark.lt if isinstance(mark, Lt) else mark.le + 1
        for mark in marks
    ]  # fmt: skip
    for value in (*outside, math.nan, math.inf, -math.inf):
        with pytest.raises(ParameterError, match=key):
            with_value(key, value)
