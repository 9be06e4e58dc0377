"""The published schemes compute the same network: else a comparison with them would be none."""

import numpy as np
import pytest
import torch

from data_specs.parameters.sections import Model
from dcell_model.bench.published import CellmapsVNN, DrugCellScheme
from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.model import DCell
from dcell_model.dcell.per_term import split_by_term
from tests.hierarchies import random_cell_graph

GRAPH = random_cell_graph(3)
GENOTYPES = [[0, 4], [1], [], [2, 3, 5], [0]]


def deleted_genes() -> torch.Tensor:
    deleted = torch.zeros(len(GENOTYPES), GRAPH.num_genes, dtype=torch.float64)
    for sample, genes in enumerate(GENOTYPES):
        deleted[sample, genes] = 1
    return deleted


@torch.no_grad()
def same_weights(model: DCell, scheme: DrugCellScheme) -> None:
    """Gene layers that hand on the state (1: wild type), heads whose tanh is the only addition."""
    for term, own in enumerate(split_by_term(model)):
        if str(term) in scheme.genes:
            layer = scheme.genes[str(term)]
            layer.weight.copy_(-layer.mask)
            layer.bias.fill_(1)
        scheme.linear[str(term)].weight.copy_(own.weight)
        scheme.linear[str(term)].bias.copy_(own.bias)
        norm, head = scheme.norm[term], scheme.head[term]
        norm.weight.copy_(own.norm_weight)
        norm.bias.copy_(own.norm_bias)
        head[0].weight.copy_(own.head_weight)
        head[0].bias.copy_(own.head_bias)
        head[2].weight.fill_(1)
        head[2].bias.fill_(0)


def test_drugcell_scheme_is_the_same_function() -> None:
    torch.manual_seed(0)
    model = DCell(GRAPH, Model(width_min=3, norm_order="act_norm"), engine="reference").double()
    scheme = DrugCellScheme(model.layout).double()
    same_weights(model, scheme)
    heads = torch.stack(scheme(deleted_genes()))
    expected = model(encode_genotypes(GRAPH, GENOTYPES)).tanh()
    torch.testing.assert_close(heads, expected)


def test_masked_weights_stay_zero() -> None:
    torch.manual_seed(0)
    scheme = DrugCellScheme(
        SubsystemLayout(GRAPH, Model(width_min=3, norm_order="act_norm"))
    ).double()
    optimiser = torch.optim.AdamW(scheme.parameters())
    sum(head.square().mean() for head in scheme(deleted_genes())).backward()
    scheme.mask_gradients()
    optimiser.step()
    for layer in scheme.genes.values():
        assert torch.equal(layer.weight * (1 - layer.mask), torch.zeros_like(layer.weight))
        assert torch.all(layer.mask.sum(dim=1) == 1)


def test_cellmaps_vnn_has_a_head_a_term_and_a_final_one() -> None:
    pytest.importorskip("cellmaps_vnn", reason="cellmaps_vnn is not installed")
    layout = SubsystemLayout(GRAPH, Model())
    network = CellmapsVNN(layout)
    heads = network(deleted_genes().float())
    assert [tuple(head.shape) for head in heads] == [(len(GENOTYPES), 1)] * (GRAPH.num_terms + 1)
    widths = {layer.out_features for name, layer in network.named_modules()
              if name.endswith("_linear_layer")}  # fmt: skip
    assert widths == {1, 20}  # 1: the final head
    sum(head.square().mean() for head in heads).backward()
    network.mask_gradients()
    for name, parameter in network.named_parameters():
        if "_direct_gene_layer.weight" in name:
            genes = network.masks[name.removeprefix("vnn.").split("_")[0]]
            assert np.count_nonzero(parameter.grad.numpy()) <= int(genes.sum())
