"""Plans: links both ways, tiles, padding."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data_specs.parameters import Model
from dcell_model.dcell.columns import columns_of
from dcell_model.dcell.engines.columns_pass import _Rooms
from dcell_model.dcell.gpu import Hierarchy, Plan, Planned, Sizes
from dcell_model.dcell.gpu.plan import ROWS, grouped
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.native import load
from tests.hierarchies import random_cell_graph

pytestmark = pytest.mark.skipif(load() is None, reason="plans need the native library")


@given(seed=st.integers(0, 50), genotypes=st.lists(st.lists(st.integers(0, 14)), max_size=70))
def test_a_plan_says_who_sums_what(seed: int, genotypes: list[list[int]]) -> None:
    """Against the sets of genes that each sample deletes under each term."""
    graph = random_cell_graph(seed)
    layout = SubsystemLayout(graph, Model(width_min=3, norm_order="act_norm"))
    own = Hierarchy.of(layout)
    genotypes = [sorted(set(genotype)) for genotype in genotypes]
    genes = torch.tensor([g for own in genotypes for g in own], dtype=torch.int64)
    sample = torch.repeat_interleave(torch.tensor([len(g) for g in genotypes], dtype=torch.int64))
    columns = columns_of(layout, sample, genes, len(genotypes))
    planned = Planned.of(own, columns, len(genotypes))
    room = planned.sizes.padded()
    plan = Plan.unpacked(planned.pack(room, own), room, own)

    rows = plan.row_start.diff().numpy()[: len(own.terms)]
    rank_of_row = np.repeat(np.arange(len(rows)), rows)
    wild = plan.row_start[1 : len(rows) + 1].numpy() - 1
    assert planned.sizes.rows == rows.sum() == len(rank_of_row)
    # All samples are somewhere, in each term.
    shared = plan.shared[: rows.sum()].numpy()
    assert (np.bincount(rank_of_row, shared) == len(genotypes)).all()

    # A row sums the children's rows, and each of these is pulled back by just the same rows.
    first = plan.first_place.numpy()
    sums = set()
    for row in range(int(rows.sum())):
        rank = rank_of_row[row]
        places = plan.link_place[int(plan.link_start[row]) : int(plan.link_start[row + 1])].numpy()
        sums |= {(row, int(place + first[own.down[rank]])) for place in places}
    pulled = set()
    for edge in range(len(own.child)):
        for place in range(int(first[edge]), int(first[edge + 1])):
            pull = plan.pull_row[int(plan.pull_start[place]) : int(plan.pull_start[place + 1])]
            start = int(plan.row_start[int(own.parent[edge])])
            pulled |= {(start + int(row), place) for row in pull}
    assert sums == pulled
    for row in wild:  # the wild type sums its children's wild types
        rank = rank_of_row[row]
        ends = {(row, int(first[e + 1]) - 1) for e in range(own.down[rank], own.down[rank + 1])}
        assert ends == {pair for pair in sums if pair[0] == row}

    # Every row of every edge and term is in one tile.
    for table, counts in ((plan.edge_tile, rows[own.child]), (plan.row_tile, rows)):
        covered = np.zeros((len(counts), max([1, *counts])), dtype=int)
        for name, row, neuron in table.t().tolist():
            if name >= 0:
                assert neuron == 0
                covered[name, row : row + ROWS] += 1
        for name, count in enumerate(counts):
            assert (covered[name, :count] == 1).all()
            assert not covered[name, -(-count // ROWS) * ROWS :].any()


@given(keys=st.lists(st.integers(0, 99_999)), groups=st.sampled_from([100_000, 65_536 * 2]))
def test_keys_are_grouped_in_their_order(keys: list[int], groups: int) -> None:
    start, order = grouped(np.array(keys, dtype=np.int64), groups)
    assert order.tolist() == np.argsort(keys, kind="stable").tolist()
    assert start.tolist() == np.searchsorted(np.sort(keys), np.arange(groups + 1)).tolist()


def test_batches_of_a_size_share_a_room() -> None:
    """A plan that outgrows its room makes it larger; a small one gets its own."""
    rooms = _Rooms()

    def sizes(rows: int, links: int) -> Sizes:
        return Sizes(rows, rows, links, 8, rows * 3, rows * 3, (rows // 64,), (rows // 64,))

    large = rooms.room_for(sizes(1000, 2000))
    assert sizes(1000, 2000).fits(large)
    assert rooms.room_for(sizes(1050, 1900)) == large
    grown = rooms.room_for(sizes(1000, 4000))
    assert large.fits(grown)
    assert rooms.room_for(sizes(1000, 2000)) == grown
    small = rooms.room_for(sizes(100, 200))
    assert not grown.fits(small)
    assert rooms.room_for(sizes(1000, 2000)) == grown
    assert all(size % 4 == 0 for size in grown.to_list())
    assert Sizes.of(grown.to_list()) == grown
