"""Plans: links both ways, tiles, padding."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data_specs.cell_graph import CellGraph
from data_specs.parameters import Model
from dcell_model.dcell.columns import found_columns
from dcell_model.dcell.engines.columns_pass import _Rooms
from dcell_model.dcell.gpu import Hierarchy, Plan, Planned, Sizes
from dcell_model.dcell.gpu.plan import ROWS
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.native import load
from tests.hierarchies import random_cell_graph

pytestmark = pytest.mark.skipif(load() is None, reason="plans need the native library")


@given(
    seed=st.integers(0, 50),
    genotypes=st.lists(st.lists(st.integers(0, 14), unique=True).map(sorted), max_size=70),
)
def test_a_plan_says_who_sums_what(seed: int, genotypes: list[list[int]]) -> None:
    """Against the sets of genes that each sample deletes under each term."""
    graph = random_cell_graph(seed)
    layout = SubsystemLayout(graph, Model(width_min=3, norm_order="act_norm"))
    own = Hierarchy.of(layout)
    genes = torch.tensor([g for own in genotypes for g in own], dtype=torch.int64)
    sample = torch.repeat_interleave(torch.tensor([len(g) for g in genotypes], dtype=torch.int64))
    with found_columns(layout, sample, genes, len(genotypes)) as found:
        planned = Planned(layout, found, len(genotypes))
        room = planned.sizes.padded()
        narrow, wide, term, count, entry_sample, entry_column = planned.pack(room)
    plan = Plan.unpacked((narrow, wide), room, own)
    assert int(plan.samples[0]) == len(genotypes)

    # The rows of a term are the distinct sets that samples delete under it, and the wild type.
    rows = plan.row_start.diff().tolist()[: len(own.terms)]
    rank_of_row = np.repeat(np.arange(len(rows)), rows)
    assert planned.sizes.rows == sum(rows) == len(rank_of_row)
    below = {int(rank): genes_below(graph, int(t)) for rank, t in enumerate(own.terms)}
    deletes: dict[int, frozenset[int]] = {
        int(end) - 1: frozenset() for end in plan.row_start[1 : len(rows) + 1]
    }
    row_of_column = np.flatnonzero(np.append(np.diff(rank_of_row) == 0, False))
    for one, column in zip(entry_sample.tolist(), entry_column.tolist(), strict=True):
        row = int(row_of_column[column])
        under = below[int(rank_of_row[row])].intersection(genotypes[one])
        assert deletes.setdefault(row, under) == under != frozenset()
    assert term.tolist() == own.terms[rank_of_row[row_of_column]].tolist()
    assert count.tolist() == np.bincount(entry_column, minlength=len(count)).tolist()
    for rank in range(len(rows)):
        of_rank = [deletes[int(row)] for row in np.flatnonzero(rank_of_row == rank)]
        drawn = Counter(below[rank].intersection(genotype) for genotype in genotypes)
        shared = plan.shared[int(plan.row_start[rank]) : int(plan.row_start[rank + 1])].tolist()
        assert Counter(dict(zip(of_rank, shared, strict=True))) == drawn
        assert set(of_rank) == {*drawn, frozenset()}

    # A row sums its children's rows of the same deletions, and these are pulled by just such rows.
    first, at = plan.first_place.tolist(), plan.row_start.tolist()
    assert np.diff(first[: len(own.child) + 1]).tolist() == [rows[child] for child in own.child]
    expected = set()
    for row, rank in enumerate(rank_of_row):
        for edge in range(own.down[rank], own.down[rank + 1]):
            child = own.child[edge]
            for other in range(at[child], at[child + 1]):
                is_wild = other == at[child + 1] - 1
                wanted = deletes[row] & below[child]
                if deletes[other] == wanted and is_wild == (row == at[rank + 1] - 1):
                    expected.add((row, first[edge] + other - at[child]))
    sums, pulled = set(), set()
    for row, rank in enumerate(rank_of_row):
        places = listed(plan.link_place, plan.link_start, row)
        assert places == sorted(places)
        sums |= {(row, place + first[own.down[rank]]) for place in places}
    for edge, parent in enumerate(own.parent):
        for place in range(first[edge], first[edge + 1]):
            pulled |= {(at[parent] + row, place)
                       for row in listed(plan.pull_row, plan.pull_start, place)}  # fmt: skip
    assert sums == pulled == expected

    # The direct genes that are deleted in a row, and the rows in which each is.
    changes, pairs = set(), set()
    for row, rank in enumerate(rank_of_row):
        changes |= {(row, int(own.pair[rank]) + gene)
                    for gene in listed(plan.change_gene, plan.change_start, row)}  # fmt: skip
    rank_of_pair = np.repeat(np.arange(len(rows)), np.diff(own.pair))
    for pair, rank in enumerate(rank_of_pair):
        pairs |= {(at[rank] + row, pair) for row in listed(plan.pair_row, plan.pair_start, pair)}
    gene_of_pair = np.concatenate([graph.annotations[graph.annotations[:, 0] == t, 1]
                                   for t in own.terms])  # fmt: skip
    assert changes == pairs == {
        (row, pair) for row, rank in enumerate(rank_of_row)
        for pair in range(own.pair[rank], own.pair[rank + 1]) if gene_of_pair[pair] in deletes[row]
    }  # fmt: skip

    numbers = np.cumsum([0, *(own.width * rows)])
    assert plan.number[: len(rows)].tolist() == numbers[:-1].tolist()
    assert planned.sizes.numbers == numbers[-1]
    products = np.cumsum([0, *(own.width[own.parent] * np.array(rows)[own.child])])
    assert plan.product[: len(products)].tolist() == products.tolist()

    # Every row of every edge and term is in one tile.
    of_edges = [rows[child] for child in own.child]
    tables = (plan.edge_tile, room.edge_tiles, own.parent, of_edges), (
        plan.row_tile, room.row_tiles, np.arange(len(rows)), rows,
    )  # fmt: skip
    for table, lengths, ranks, counts in tables:
        covered = np.zeros((len(counts), max([1, *counts])), dtype=int)
        of_stratum = np.repeat(np.arange(len(lengths)), lengths)
        for stratum, (name, row, neuron) in zip(of_stratum, table.t().tolist(), strict=True):
            if name >= 0:
                assert neuron == 0
                assert own.stratum[ranks[name]] == stratum
                covered[name, row : row + ROWS] += 1
        for name, rows_of_name in enumerate(counts):
            assert (covered[name, :rows_of_name] == 1).all()
            assert not covered[name, -(-rows_of_name // ROWS) * ROWS :].any()


def listed(items: torch.Tensor, starts: torch.Tensor, item: int) -> list[int]:
    return items[int(starts[item]) : int(starts[item + 1])].tolist()


def genes_below(graph: CellGraph, term: int) -> frozenset[int]:
    """All genes of a term and of its descendants."""
    found = {int(gene) for own, gene in graph.annotations if own == term}
    for child, parent in graph.edges:
        if parent == term:
            found |= genes_below(graph, int(child))
    return frozenset(found)


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
