"""Models that are not new, and what the reference engine has them predict."""

import numpy as np
import torch

from data_specs.cell_graph import CellGraph
from data_specs.parameters.sections import resolve
from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.engines.reference import outputs_and_heads
from dcell_model.dcell.model import DCell

NAMES = ("fitness", "size")
SCALE = (torch.tensor([0.8, -2.0]), torch.tensor([0.3, 1.7]))


def trained_model(graph: CellGraph, dtype: torch.dtype = torch.float64, **config: object) -> DCell:
    """A model with running statistics that are not those of a new one."""
    torch.manual_seed(0)
    model_config = resolve({"model": {"width_min": 3, **config}}).model
    model = DCell(graph, model_config, phenotypes=2, engine="reference").to(dtype)
    genotypes = np.random.default_rng(0).integers(0, graph.num_genes, (20, 3)).tolist()
    for _ in range(3):
        model(encode_genotypes(graph, [sorted(set(own)) for own in genotypes]))
    return model.eval()


def expected_of(model: DCell, genotypes: list[list[int]]) -> np.ndarray:
    with torch.no_grad():
        _, heads = outputs_and_heads(model, encode_genotypes(model.graph, genotypes))
    return (heads[0].double() * SCALE[1].double() + SCALE[0].double()).numpy()
