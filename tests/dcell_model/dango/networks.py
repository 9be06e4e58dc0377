"""Small gene networks for the tests of DANGO."""

import numpy as np

from data_specs.cell_graph import CellGraph
from data_specs.gene_networks import GeneNetworks
from data_specs.parameters.sections import Dango as DangoConfig
from dcell_model.dango.model import Dango
from tests.hierarchies import random_cell_graph

GENES = 15
GRAPH: CellGraph = random_cell_graph(0, genes=GENES)
SMALL = DangoConfig(width=8, heads=2, pretrain_steps=100)


def random_networks(seed: int = 0, genes: int = GENES, count: int = 3) -> GeneNetworks:
    """Each a third of all pairs, the last network without an edge; weights between 0.2 and 1."""
    random = np.random.default_rng(seed)
    edges, weights = {}, {}
    for number in range(count):
        pairs = np.stack(np.triu_indices(genes, 1), axis=1)
        share = 0.0 if number == count - 1 and count > 1 else 0.3
        edges[f"n{number}"] = pairs[random.random(len(pairs)) < share].astype(np.int64)
        size = len(edges[f"n{number}"])
        weights[f"n{number}"] = random.uniform(0.2, 1, size).astype(np.float32)
    return GeneNetworks(genes, edges, weights)


def small_model(config: DangoConfig = SMALL, *, phenotypes: int = 1, count: int = 3) -> Dango:
    """A model on them."""
    return Dango(GRAPH, random_networks(count=count), config, phenotypes=phenotypes)
