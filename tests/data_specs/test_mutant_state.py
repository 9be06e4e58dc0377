"""The rows that deletions change, against a look at every row of the cell graph."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_specs.cell_graph import CellGraph
from data_specs.mutant_state import StateEncoder
from tests.hierarchies import random_cell_graph

UNANNOTATED = 3  # assayed genes beyond those of the cell graph


def compressed(genotypes: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    genes = [gene for own in genotypes for gene in own]
    return np.cumsum([0, *map(len, genotypes)]), np.array(genes, dtype=np.int64)


def changed(graph: CellGraph, genotypes: list[list[int]]) -> list[tuple[int, int]]:
    rows = list(enumerate(graph.annotations[:, 1].tolist()))
    return [(n, row) for n, own in enumerate(genotypes) for row, gene in rows if gene in own]


@given(st.data(), st.integers(0, 20))
def test_rows_of_deleted_genes_change_and_no_others(data: st.DataObject, seed: int) -> None:
    graph = random_cell_graph(seed)
    genes = graph.num_genes + UNANNOTATED
    genotype = st.lists(st.integers(0, genes - 1), max_size=4, unique=True)
    genotypes = data.draw(st.lists(genotype, max_size=6))
    encoder = StateEncoder(graph, genes)
    sample, row, _ = encoder.delta(*compressed(genotypes))
    expected = changed(graph, genotypes)
    assert list(zip(sample.tolist(), row.tolist(), strict=True)) == expected
    counts = np.bincount([n for n, _ in expected], minlength=len(genotypes))
    assert encoder.count(*compressed(genotypes)).tolist() == counts.tolist()


@pytest.mark.parametrize("genotypes", [[], [[]], [[14]], [[15, 17], []]])
def test_a_genotype_may_change_nothing(genotypes: list[list[int]]) -> None:
    graph = random_cell_graph(0)  # its last gene, 14, has no annotation
    encoder = StateEncoder(graph, graph.num_genes + UNANNOTATED)
    sample, row, _ = encoder.delta(*compressed(genotypes))
    assert len(sample) == len(row) == 0
    assert encoder.count(*compressed(genotypes)).tolist() == [0] * len(genotypes)
