"""Both ways to bring a gene's networks together, against their plain formulas."""

import pytest
import torch

from data_specs.parameters.sections import Dango as DangoConfig
from dcell_model.graph_models.dango.aggregation import (
    CrossAttention,
    MetaEmbedding,
    PairwiseInteraction,
)

CONFIG = DangoConfig(width=8, heads=2)


@pytest.mark.parametrize("networks", [1, 2, 5])
def test_pairwise_is_the_sum_over_pairs(networks: int) -> None:
    torch.manual_seed(0)
    layer = PairwiseInteraction(CONFIG, networks).double()
    own, embedded = torch.randn(3, 8).double(), torch.randn(3, networks, 8).double()
    factors = [f(embedded[:, n]) for n, f in enumerate(layer.factors)]
    pairs = [(a, b) for b in range(networks) for a in range(b)]
    products = torch.zeros(3, 8).double()
    for a, b in pairs:
        products = products + factors[a] * factors[b] / len(pairs)
    expected = layer.out(torch.cat([embedded.mean(1), products], dim=1)) + own
    torch.testing.assert_close(layer(own, embedded), expected)


@pytest.mark.parametrize("networks", [1, 2, 5])
def test_cross_attention_is_pytorchs(networks: int) -> None:
    torch.manual_seed(0)
    layer = CrossAttention(CONFIG).double()
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True).double()
    parts = (layer.query, layer.key, layer.value)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        theirs.out_proj.load_state_dict(layer.out.state_dict())
    own, embedded = torch.randn(3, 8).double(), torch.randn(3, networks, 8).double()
    expected, _ = theirs(own.unsqueeze(1), embedded, embedded)
    torch.testing.assert_close(layer(own, embedded), expected[:, 0] + own)


@pytest.mark.parametrize("networks", [1, 2, 5])
def test_a_meta_embedding_is_a_mean_of_the_networks(networks: int) -> None:
    torch.manual_seed(0)
    layer = MetaEmbedding(CONFIG).double()
    embedded = torch.randn(3, networks, 8).double()
    grade = layer.weight(embedded).squeeze(-1).exp()  # [3, W]
    expected = torch.einsum("nw,nwd->nd", grade, embedded) / grade.sum(1, keepdim=True)
    torch.testing.assert_close(layer(torch.randn(3, 8).double(), embedded), expected)
    order = torch.randperm(networks)
    torch.testing.assert_close(layer(embedded[:, 0], embedded[:, order]), expected)


@pytest.mark.parametrize(
    "layer", [CrossAttention(CONFIG), PairwiseInteraction(CONFIG, 3), MetaEmbedding(CONFIG)]
)
def test_no_genes(layer: torch.nn.Module) -> None:
    assert layer(torch.randn(0, 8), torch.randn(0, 3, 8)).shape == (0, 8)
