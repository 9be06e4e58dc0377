"""Columns as entries: one for each distinct set of deleted genes under a term."""

from dataclasses import fields

import pytest
import torch

from data_specs.parameters.sections import Model
from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.columns import Columns, columns_of
from dcell_model.dcell.engines.touched import Touched, touched_entries
from dcell_model.dcell.engines.touched_columns import touched_columns
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.native import load
from tests.hierarchies import random_cell_graph

GRAPH = random_cell_graph(2, terms=20)
LAYOUT = SubsystemLayout(GRAPH, Model(width_min=2, width_ratio=0.7))
pytestmark = pytest.mark.skipif(load() is None, reason="the native library is not built")


def both(genotypes: list[list[int]]) -> tuple[Columns, list[torch.Tensor], list[torch.Tensor]]:
    batch = encode_genotypes(GRAPH, genotypes)
    deleted = batch.deleted_sample, batch.deleted_gene
    columns = columns_of(LAYOUT, *deleted, len(batch))
    entries = touched_entries(LAYOUT, batch.term, batch.gene, batch.sample, *deleted, len(batch))
    return columns, touched_columns(LAYOUT, columns).to_list(), entries.to_list()


def test_without_shared_deletions_they_are_the_entries() -> None:
    """A gene a sample: all columns of a term differ, and stand in the order of their samples."""
    _, found, expected = both([[gene] for gene in range(14)])
    names = [field.name for field in fields(Touched)]
    for name, a, b in zip(names, found, expected, strict=True):
        if name not in ("sample", "change_entry", "change_input"):
            assert torch.equal(a, b), name
    pairs = [
        sorted(zip(own[8].tolist(), own[9].tolist(), strict=True)) for own in (found, expected)
    ]
    assert pairs[0] == pairs[1]


def test_shared_deletions_are_one_column() -> None:
    genotypes = [[0, 3], [0, 3], [0, 4], [], [14], [3, 0, 5]]
    columns, found, _ = both(genotypes)
    under: list[set[int]] = [set() for _ in range(GRAPH.num_terms)]
    for term, gene in GRAPH.annotations.tolist():
        under[term].add(gene)
    for term in reversed(range(GRAPH.num_terms)):
        for child in LAYOUT.children[term]:
            under[term] |= under[child]
    sets = [{frozenset(own & set(g)) for g in genotypes} - {frozenset()} for own in under]
    counts = torch.bincount(found[0], minlength=GRAPH.num_terms)
    assert counts.tolist() == [len(own) for own in sets]
    assert int(columns.count.sum()) == sum(bool(own & set(g)) for own in under for g in genotypes)


def test_nothing_touched() -> None:
    _, found, expected = both([[], [14]])
    assert [len(own) for own in found] == [len(own) for own in expected]
