"""Small gene networks for the tests of the models on them."""

import numpy as np
import torch

from data_specs.cell_graph import CellGraph
from data_specs.gene_networks import GeneNetworks
from data_specs.parameters.sections import Dango as DangoConfig
from data_specs.parameters.sections import Multigraph as MultigraphConfig
from dcell_model.data.dataset import MutantStateBatch, encode_genotypes
from dcell_model.graph_models.dango.model import Dango
from dcell_model.graph_models.multigraph.model import Multigraph
from tests.hierarchies import random_cell_graph

GENES = 15
GRAPH: CellGraph = random_cell_graph(0, genes=GENES)
SMALL = DangoConfig(width=8, heads=2, pretrain_steps=100)
SMALL_MULTIGRAPH = MultigraphConfig(width=8, heads=2)


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


def small_multigraph(
    config: MultigraphConfig = SMALL_MULTIGRAPH, *, phenotypes: int = 1, count: int = 3
) -> Multigraph:
    """A model on them, whose head's layers have an effect, as after training."""
    torch.manual_seed(0)
    model = Multigraph(GRAPH, random_networks(count=count), config, phenotypes=phenotypes)
    for layer in model.head.layers:
        layer.beta.data.fill_(0.5)
    return model


def batch_of(genotypes: list[list[int]], phenotypes: int = 1) -> MutantStateBatch:
    """Genotypes with targets."""
    targets = np.random.default_rng(0).normal(size=(len(genotypes), phenotypes))
    return encode_genotypes(GRAPH, genotypes, targets.astype(np.float32))
