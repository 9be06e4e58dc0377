"""The columns of a batch, against the plain definition."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data_specs.cell_graph import CellGraph
from data_specs.parameters.sections import Model
from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.columns import Columns, columns_of, sum_over_columns
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.native import NativeHierarchy, load
from tests.hierarchies import random_cell_graph

pytestmark = pytest.mark.skipif(load() is None, reason="the native pass is not built")


def genes_below(graph: CellGraph) -> list[set[int]]:
    below = [{int(g) for t, g in graph.annotations if t == term} for term in range(graph.num_terms)]
    for child, parent in sorted(graph.edges.tolist(), reverse=True):  # children before parents
        below[parent] |= below[child]
    return below


def find(layout: SubsystemLayout, genotypes: list[list[int]]) -> Columns:
    batch = encode_genotypes(layout.graph, genotypes)
    return columns_of(layout, batch.deleted_sample, batch.deleted_gene, len(batch))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    terms=st.integers(2, 25),
    genotypes=st.lists(st.lists(st.integers(0, 14), max_size=6, unique=True), min_size=1),
)
def test_columns_are_the_distinct_sets_under_each_term(
    seed: int, terms: int, genotypes: list[list[int]]
) -> None:
    graph = random_cell_graph(seed, terms)
    layout = SubsystemLayout(graph, Model(width_min=2, width_ratio=0.6))
    hierarchy, columns, below = NativeHierarchy.of(layout), find(layout, genotypes), None
    below = genes_below(graph)
    starts, entry_starts = columns.starts.tolist(), columns.entry_starts.tolist()
    set_of: list[frozenset[int]] = [frozenset()] * len(columns.count)
    for rank, term in enumerate(hierarchy.terms.tolist()):
        entries = range(entry_starts[rank], entry_starts[rank + 1])
        samples = [int(columns.entry_sample[i]) for i in entries]
        expected = [frozenset(genes) & below[term] for genes in genotypes]
        assert samples == [s for s, genes in enumerate(expected) if genes]
        for i, sample in zip(entries, samples, strict=True):
            column = int(columns.entry_column[i])
            assert starts[rank] <= column < starts[rank + 1]
            assert set_of[column] in (frozenset(), expected[sample]), "a column has one set"
            set_of[column] = expected[sample]
        own = set_of[starts[rank] : starts[rank + 1]]
        assert len(own) == len(set(own)), "a set has one column"
        count = columns.count[starts[rank] : starts[rank + 1]].tolist()
        assert count == [expected.count(genes) for genes in own]
        assert_changes(graph, layout, columns, rank, term, own)
    assert_links(graph, hierarchy, columns, set_of, below)


def assert_changes(
    graph: CellGraph, layout: SubsystemLayout, columns: Columns, rank: int, term: int,
    sets: list[frozenset[int]],
) -> None:  # fmt: skip
    """Every deleted gene that is annotated to the term itself changes its columns."""
    first, last = columns.change_starts[rank : rank + 2].tolist()
    found = zip(
        columns.change_column[first:last].tolist(), columns.change_weight[first:last].tolist(),
        strict=True,
    )  # fmt: skip
    expected = [
        (column, int(layout.first_gene_weight[row]))
        for column, genes in enumerate(sets)
        for row, (t, g) in enumerate(graph.annotations.tolist())
        if t == term and g in genes
    ]
    assert sorted(found) == sorted(expected)


def assert_links(
    graph: CellGraph, hierarchy: NativeHierarchy, columns: Columns,
    set_of: list[frozenset[int]], below: list[set[int]],
) -> None:  # fmt: skip
    """A parent's column is linked to the child's that has what it deletes under the child."""
    starts = columns.starts.tolist()
    rank = np.argsort(hierarchy.terms)
    edges = sorted((int(rank[c]), int(rank[p]), c) for c, p in graph.edges.tolist())
    assert len(columns.link_starts) == len(edges) + 1
    for edge, (child, parent, term) in enumerate(edges):
        first, last = columns.link_starts[edge : edge + 2].tolist()
        found = zip(
            columns.link_parent[first:last].tolist(), columns.link_child[first:last].tolist(),
            strict=True,
        )  # fmt: skip
        expected = [
            (column, set_of[starts[child] : starts[child + 1]].index(genes & below[term]))
            for column, genes in enumerate(set_of[starts[parent] : starts[parent + 1]])
            if genes & below[term]
        ]
        assert list(found) == expected


def test_many_genes_and_repeats() -> None:
    """Sets are told apart however large they are and in whatever order genes come."""
    graph = random_cell_graph(3, terms=30, genes=600)
    layout = SubsystemLayout(graph, Model(width_min=1, width_ratio=0.01))
    random = np.random.default_rng(0)
    large = random.choice(600, 500, replace=False).tolist()
    genotypes = [large, large[::-1], large[:-1], [large[0], large[0]], [large[0]]]
    columns, below = find(layout, genotypes), genes_below(graph)
    for rank, term in enumerate(NativeHierarchy.of(layout).terms.tolist()):
        sets = {frozenset(genes) & below[term] for genes in genotypes} - {frozenset()}
        assert int(columns.starts[rank + 1] - columns.starts[rank]) == len(sets)


def test_a_gene_given_twice_counts_once() -> None:
    layout = SubsystemLayout(random_cell_graph(1), Model(width_min=2))
    sample, gene = torch.tensor([0, 1, 0, 0]), torch.tensor([5, 5, 3, 5])
    twice, once = columns_of(layout, sample, gene, 2), find(layout, [[3, 5], [5]])
    for a, b in zip(twice.to_list(), once.to_list(), strict=True):
        assert torch.equal(a, b)


def test_nothing_touched() -> None:
    layout = SubsystemLayout(random_cell_graph(0), Model())
    columns = find(layout, [[], [14]])  # the wild type, and a gene without annotation
    assert len(columns.count) == len(columns.entry_sample) == len(columns.link_child) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("phenotypes", [1, 3])
def test_sums_over_columns(dtype: torch.dtype, phenotypes: int) -> None:
    layout = SubsystemLayout(random_cell_graph(2), Model())
    columns = find(layout, [[0], [1, 2], [0], [0, 1], []])
    values = torch.randn(5, phenotypes, dtype=dtype)
    found = sum_over_columns(values, columns.entry_sample, columns.entry_column, len(columns.count))
    expected = torch.zeros(len(columns.count), phenotypes, dtype=dtype)
    expected.index_add_(0, columns.entry_column, values[columns.entry_sample])
    torch.testing.assert_close(found, expected)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    genotypes=st.lists(
        st.dictionaries(st.integers(0, 14), st.sampled_from([0.0, 0.5, 2.0]), max_size=6),
        min_size=1,
    ),
)
def test_columns_of_states_are_the_distinct_sets_of_genes_with_them(
    seed: int, genotypes: list[dict[int, float]]
) -> None:
    graph = random_cell_graph(seed)
    layout = SubsystemLayout(graph, Model(width_min=2, width_ratio=0.6))
    batch = encode_genotypes(
        graph, [list(own) for own in genotypes], states=[list(own.values()) for own in genotypes]
    )
    columns = columns_of(
        layout, batch.deleted_sample, batch.deleted_gene, len(batch), batch.deleted_state
    )
    below = genes_below(graph)
    sizes = {float(size) for size in columns.change_size}
    assert sizes <= {1.0, 0.5, -1.0}
    for rank, term in enumerate(NativeHierarchy.of(layout).terms.tolist()):
        sets = {frozenset((g, s) for g, s in own.items() if g in below[term]) for own in genotypes}
        assert int(columns.starts[rank + 1] - columns.starts[rank]) == len(sets - {frozenset()})


def test_deletions_have_no_sizes() -> None:
    layout = SubsystemLayout(random_cell_graph(1), Model(width_min=2))
    assert not len(find(layout, [[3, 5], [5]]).change_size)
