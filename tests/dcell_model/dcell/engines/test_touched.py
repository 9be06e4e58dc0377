"""Entries and runs of a batch, against the plain definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from data_specs.cell_graph import CellGraph
from data_specs.parameters.sections import Model
from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.engines.touched import Touched, touched_entries
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.ranks import Ranks
from tests.hierarchies import random_cell_graph


def touched_by_definition(graph: CellGraph, genotypes: list[list[int]]) -> set[tuple[int, int]]:
    """(term, sample): annotated to a deleted gene, or an ancestor of such a term."""
    result = set()
    for sample, genes in enumerate(genotypes):
        terms = {int(t) for t, g in graph.annotations if g in genes}
        while more := {int(p) for c, p in graph.edges if c in terms} - terms:
            terms |= more
        result |= {(term, sample) for term in terms}
    return result


def find(layout: SubsystemLayout, genotypes: list[list[int]]) -> Touched:
    batch = encode_genotypes(layout.graph, genotypes)
    return touched_entries(
        layout, batch.term, batch.gene, batch.sample, batch.deleted_sample, batch.deleted_gene,
        len(batch),
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    terms=st.integers(2, 25),
    genotypes=st.lists(st.lists(st.integers(0, 14), max_size=4, unique=True), min_size=1),
)
def test_entries_are_the_touched_and_runs_carry_every_edge(
    seed: int, terms: int, genotypes: list[list[int]]
) -> None:
    graph = random_cell_graph(seed, terms)
    layout = SubsystemLayout(graph, Model(width_min=2, width_ratio=0.6))
    ranks, at = Ranks.of(layout), find(layout, genotypes)
    expected = touched_by_definition(graph, genotypes)
    entries = list(zip(at.term.tolist(), at.sample.tolist(), strict=True))
    assert len(entries) == len(expected)
    assert set(entries) == expected
    keys = list(zip(at.rank.tolist(), at.sample.tolist(), strict=True))
    assert keys == sorted(keys)
    starts = at.starts.tolist()
    carried = []
    for set_number, places, edges, first_edge, first in at.runs.tolist():
        group, child_class = ranks.sets[set_number]
        children = ranks.classes[child_class]
        own = ranks.classes[ranks.class_of_rank[ranks.groups[group].start]]
        for edge in range(edges):
            at_places = slice(first + edge * places, first + (edge + 1) * places)
            for child, parent in zip(
                at.child[at_places].tolist(), at.parent[at_places].tolist(), strict=True
            ):
                padding = child == starts[children.stop] - starts[children.start]
                assert padding == (parent == starts[own.stop] - starts[own.start])
                if not padding:
                    entry, to = starts[children.start] + child, starts[own.start] + parent
                    assert entries[entry][1] == entries[to][1], "one sample"
                    carried.append((entries[entry][0], *entries[to]))
                    term, weight = entries[to][0], int(at.edge_input[first_edge + edge])
                    width = int(layout.widths[term])
                    begin = layout.groups[group].child_weights.start + weight * width
                    rows = layout.child_rows(term)
                    row = int(layout.first_row[entries[entry][0]])
                    inside = rows.tolist().index(row)
                    assert begin == layout.first_weight[term] + inside * width
    wanted = [(c, p, s) for c, p in graph.edges.tolist() for t, s in expected if t == c]
    assert sorted(carried) == sorted(wanted)


def test_nothing_touched() -> None:
    layout = SubsystemLayout(random_cell_graph(0), Model())
    at = find(layout, [[], [14]])  # the wild type, and a gene without annotation
    assert len(at.rank) == len(at.runs) == len(at.child) == len(at.change_entry) == 0


def test_padding_is_bounded() -> None:
    graph = random_cell_graph(2, terms=40)
    layout = SubsystemLayout(graph, Model(width_min=2))
    random = np.random.default_rng(0)
    genotypes = [random.choice(14, size=3, replace=False).tolist() for _ in range(300)]
    at = find(layout, genotypes)
    used = len(at.child) - int((at.runs[:, 1] * at.runs[:, 2]).sum())
    assert used == 0
    # One run a pair of widths and stratum is the least there can be.
    assert len(at.runs) >= len({*Ranks.of(layout).edge_set.tolist()}) * 0.5
