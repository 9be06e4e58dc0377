"""The hierarchy's arrays for kernels: tiles cover everything once."""

import numpy as np
import pytest
import torch

from data_specs.parameters import Model
from dcell_model.dcell.gpu import Hierarchy, Tables
from dcell_model.dcell.gpu.tables import GENES, INNER, NEURONS, OUTER, tiles
from dcell_model.dcell.layout import SubsystemLayout
from tests.hierarchies import cell_graph, random_cell_graph

WIDE = cell_graph(
    [(1, 0), (2, 0), (3, 1)], [(1, g) for g in range(70)] + [(3, 70), (2, 71)], terms=4, genes=72
)


@pytest.mark.parametrize("graph", [random_cell_graph(4), WIDE])
def test_tiles_cover_terms_genes_and_weights(graph: object) -> None:
    layout = SubsystemLayout(graph, Model(width_min=7, width_ratio=0.7, norm_order="act_norm"))  # type: ignore[arg-type]
    own, at = Hierarchy.of(layout), Tables.of(layout, torch.device("cpu"))
    rank, neuron = (tile.tolist() for tile in at.term_tiles)
    parts = []
    for r, n in zip(rank, neuron, strict=True):
        parts += range(own.row[r] + n, own.row[r] + min(n + NEURONS, own.width[r]))
    assert sorted(parts) == list(range(layout.num_rows))
    together = torch.cat([tiles[0] for tiles in at.strata])
    assert together.tolist() == rank
    assert own.stratum[together].tolist() == sorted(own.stratum[together])

    covered = np.zeros(layout.num_child_weights, dtype=int)
    for edge, i, j in zip(*(tile.tolist() for tile in at.weight_tiles), strict=True):
        v, w = own.width[own.child[edge]], own.width[own.parent[edge]]
        part = covered[own.weight[edge] :][: v * w].reshape(v, w)
        part[i : i + INNER, j : j + OUTER] += 1
    assert (covered == 1).all()
    covered = np.zeros(layout.num_gene_weights, dtype=int)
    for r, g, j in zip(*(tile.tolist() for tile in at.gene_tiles), strict=True):
        count, w = own.pair[r + 1] - own.pair[r], own.width[r]
        part = covered[own.first_gene[r] :][: count * w].reshape(count, w)
        part[g : g + GENES, j : j + OUTER] += 1
    assert (covered == 1).all()


def test_things_are_cut_into_tiles() -> None:
    names, first = tiles(np.array([5, 7, 9]), np.array([3, 0, 4]), 2)
    assert names.tolist() == [5, 5, 9, 9]
    assert first.tolist() == [0, 2, 0, 2]
