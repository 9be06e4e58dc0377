"""Each way to bring a layer's networks together, against its plain formula."""

from dataclasses import replace
from typing import Literal

import pytest
import torch

from dcell_model.graph_models.multigraph.aggregation import (
    NetworkAttention,
    PairAttention,
    aggregation,
)
from tests.dcell_model.graph_models.networks import SMALL_MULTIGRAPH

Kind = Literal["sum", "mean", "attention", "pairwise"]
KINDS: list[Kind] = ["sum", "mean", "attention", "pairwise"]


def layer(kind: Kind, networks: int) -> torch.nn.Module:
    torch.manual_seed(0)
    return aggregation(replace(SMALL_MULTIGRAPH, aggregation=kind), networks).double()


def embedded(networks: int, genes: int = 4) -> torch.Tensor:
    return torch.randn(genes, networks, SMALL_MULTIGRAPH.width, dtype=torch.float64)


@pytest.mark.parametrize("networks", [1, 2, 5])
def test_sum_and_mean(networks: int) -> None:
    x = embedded(networks)
    torch.testing.assert_close(layer("sum", networks)(x), sum(x.unbind(1)))
    torch.testing.assert_close(layer("mean", networks)(x), sum(x.unbind(1)) / networks)


@pytest.mark.parametrize("networks", [1, 2, 5])
def test_attention_is_pytorchs(networks: int) -> None:
    own, x = layer("attention", networks), embedded(networks)
    assert isinstance(own, NetworkAttention)
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True).double()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(own.inside.weight)
        theirs.in_proj_bias.zero_()
        theirs.out_proj.load_state_dict(own.out.state_dict())
    tokens = x + own.which
    expected, _ = theirs(tokens, tokens, tokens)
    torch.testing.assert_close(own(x), expected.mean(1))


def test_attention_tells_the_networks_apart() -> None:
    own, x = layer("attention", 3), embedded(3)
    assert isinstance(own, NetworkAttention)
    swapped = x[:, [1, 0, 2]]
    assert not torch.allclose(own(x), own(swapped))
    own.which.data.zero_()
    torch.testing.assert_close(own(x), own(swapped))


@pytest.mark.parametrize("networks", [1, 2, 4])
def test_pairwise_is_a_mean_over_all_pairs(networks: int) -> None:
    own, x = layer("pairwise", networks), embedded(networks)
    assert isinstance(own, PairAttention)
    assert len(own.pairs) == networks * (networks + 1) // 2
    values, grades, mlps = [], [], iter(own.together)
    for a in range(networks):
        for b in range(a, networks):
            first, _, second = next(mlps)
            both = torch.cat([x[:, a], x[:, b]], dim=1)
            values.append(second(first(both).clamp(min=0)).clamp(min=0))
            grades.append(own.weight(values[-1]).exp())
    expected = sum(g * v for g, v in zip(grades, values, strict=True)) / sum(grades)
    torch.testing.assert_close(own(x), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_no_genes_and_gradients(kind: Kind) -> None:
    own = layer(kind, 3)
    assert own(embedded(3, genes=0)).shape == (0, 8)
    x = embedded(3, genes=2).requires_grad_()
    assert torch.autograd.gradcheck(own, x)
