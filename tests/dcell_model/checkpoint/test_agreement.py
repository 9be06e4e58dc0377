"""What was begun goes on with the same settings: the first that differs is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_specs.errors import InputError
from dcell_model.checkpoint import refuse_difference

VALUES = st.dictionaries(st.sampled_from(["train.lr", "train.seed", "store"]), st.integers(0, 1))


@given(VALUES, VALUES, st.sets(st.sampled_from(["train.lr", "store"])))
def test_only_what_differs_is_refused(
    before: dict[str, int], now: dict[str, int], free: set[str]
) -> None:
    names = before.keys() | now.keys()
    differ = {name for name in names - free if before.get(name) != now.get(name)}
    if not differ:
        refuse_difference(before, now, "run: began with", "begin another", free=free)
        return
    with pytest.raises(InputError) as refused:
        refuse_difference(before, now, "run: began with", "begin another", free=free)
    expected = {
        f"run: began with {name}={before.get(name, 'not there')}, now it is "
        f"{now.get(name, 'not there')}; begin another"
        for name in differ
    }
    assert str(refused.value) in expected


def test_what_is_none_may_be_missing() -> None:
    """An artefact of an earlier version has no entry for a setting that was not there."""
    refuse_difference({"a": 1}, {"a": 1, "threshold": None}, "began with", "begin another")
