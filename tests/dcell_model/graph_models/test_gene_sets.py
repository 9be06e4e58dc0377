"""Ragged rows side by side: each row has its own values, and nothing else."""

from random import Random

import torch
from hypothesis import given
from hypothesis import strategies as st

from dcell_model.graph_models.gene_sets import pad


def test_pad() -> None:
    values, present = pad(torch.tensor([2, 0, 2, 2]), torch.tensor([5, 6, 7, 8]), 4)
    assert values.tolist() == [[6, 0, 0], [0, 0, 0], [5, 7, 8], [0, 0, 0]]
    assert present.sum(1).tolist() == [1, 0, 3, 0]
    empty, nothing = pad(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64), 0)
    assert empty.shape == nothing.shape == (0, 1)


@given(st.lists(st.lists(st.integers(0, 50), max_size=7), max_size=9), st.randoms())
def test_every_row_has_its_values_in_their_order(rows: list[list[int]], random: Random) -> None:
    entries = [(number, value) for number, row in enumerate(rows) for value in row]
    mixed = sorted(entries, key=lambda entry: (random.random(), entry))  # in any order of rows
    sample, value = (torch.tensor([entry[n] for entry in mixed], dtype=torch.int64) for n in (0, 1))
    values, present = pad(sample, value, len(rows))
    assert values.shape == present.shape == (len(rows), max(1, *map(len, [*rows, []])))
    for number in range(len(rows)):
        own = [v for owner, v in mixed if owner == number]
        assert values[number, present[number]].tolist() == own
        assert not values[number, ~present[number]].any()
