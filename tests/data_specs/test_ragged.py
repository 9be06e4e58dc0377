"""The entries of ragged rows, against a loop over the rows; arrays and tensors alike."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data_specs.ragged import ragged_entries


@st.composite
def some_rows(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Starts and ends of rows of one flat array, in any order, repeated, overlapping or empty."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5))))
    return [start for start, _ in pairs], [start + length for start, length in pairs]


def one_after_the_other(starts: list[int], ends: list[int]) -> tuple[list[int], list[int]]:
    ranges = [range(*ends_of) for ends_of in zip(starts, ends, strict=True)]
    rows = [number for number, entries in enumerate(ranges) for _ in entries]
    return rows, [entry for entries in ranges for entry in entries]


@given(some_rows())
def test_rows_are_taken_one_after_the_other(rows: tuple[list[int], list[int]]) -> None:
    expected = one_after_the_other(*rows)
    of_arrays = ragged_entries(*(np.array(ends, dtype=np.int64) for ends in rows))
    of_tensors = ragged_entries(*(torch.tensor(ends, dtype=torch.int64) for ends in rows))
    assert tuple(found.tolist() for found in of_arrays) == expected
    assert tuple(found.tolist() for found in of_tensors) == expected
    assert {found.dtype for found in of_arrays} == {np.dtype(np.int64)}
    assert {found.dtype for found in of_tensors} == {torch.int64}


@pytest.mark.parametrize("rows", [([], []), ([3], [3]), ([0, 0], [0, 2])])
def test_empty_rows(rows: tuple[list[int], list[int]]) -> None:
    found = ragged_entries(*(np.array(ends, dtype=np.int64) for ends in rows))
    assert tuple(own.tolist() for own in found) == one_after_the_other(*rows)
