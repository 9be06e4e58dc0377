"""Where inputs and tokens lie: each number has one place."""

import numpy as np
import pytest
import torch

from data_specs.parameters.sections import Model
from dcell_model.dcell.engines import token_tables
from dcell_model.dcell.engines.token_tables import Placed, TokenTables, padded
from dcell_model.dcell.layout import SubsystemLayout
from tests.hierarchies import random_cell_graph

CPU = torch.device("cpu")


def layout_of(embedding: int) -> SubsystemLayout:
    graph = random_cell_graph(3, terms=25, genes=30)
    return SubsystemLayout(graph, Model(width_min=2, attention_heads=1, gene_embedding=embedding))


def test_padded_sets_hold_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_tables, "PADDING", 10)
    counts = np.array([3, 0, 7, 1, 3, 100, 6])
    sets = list(padded(counts, area=2))
    assert sorted(np.concatenate([own for own, _ in sets]).tolist()) == [0, 2, 3, 4, 5, 6]
    for own, size in sets:
        assert size == counts[own].max()
        assert 2 * (size - counts[own]).sum() <= 10
    assert list(padded(np.zeros(3, dtype=np.int64), 1)) == []


@pytest.mark.parametrize("embedding", [0, 2])
def test_tokens_and_their_parameters(embedding: int) -> None:
    layout = layout_of(embedding)
    rows = layout.attention_inputs
    for group, tables in zip(layout.groups, TokenTables.of(layout, CPU), strict=True):
        tokens = [layout.tokens[term] for term in group.terms]
        real = sum(int(b.real.sum()) if b.real is not None else b.tokens.stop - b.tokens.start
                   for b in tables.buckets)  # fmt: skip
        assert real == sum(own.count for own in tokens)
        assert tables.rows.stop - tables.rows.start == rows[group.terms].sum()
        used = tables.row_of_input[tables.token_of_input < tables.count]
        expected = torch.arange(tables.rows.stop - tables.rows.start)
        assert torch.equal(used.unique(), expected)  # genes of a term may share rows
        inputs = torch.cat([own for _, own in tables.inputs_of_tokens] or [expected[:0]])
        of_tokens = inputs[inputs < len(tables.token_of_input)]
        with_attention = torch.nonzero(tables.token_of_input < tables.count)[:, 0]
        assert torch.equal(of_tokens.sort().values, with_attention)


@pytest.mark.parametrize("embedding", [0, 2])
def test_tokens_of_entries(embedding: int) -> None:
    layout = layout_of(embedding)
    random = np.random.default_rng(0)
    for group, tables in zip(layout.groups, TokenTables.of(layout, CPU), strict=True):
        counts = random.integers(0, 4, len(group.terms))
        placed = Placed.of(tables, counts, 1, True)
        term = np.repeat(np.arange(len(group.terms)), counts)
        assert placed.begin[-1] == placed.count
        for of_entry, begin in zip(term, placed.begin[:-1].tolist(), strict=True):
            bucket = tables.bucket_of_term[of_entry]
            if bucket < 0:
                assert begin == placed.count
                continue
            own = tables.buckets[bucket]
            first = own.tokens.start + tables.place_of_term[of_entry] * own.size
            source = placed.source[begin : begin + own.size]
            assert source.tolist() == list(range(first, first + own.size))
        assert sum(len(own.entries) * own.bucket.size for own in placed.buckets) == placed.count
