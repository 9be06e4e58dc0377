"""Genes over all networks at once: as far as the encoder is deep, and in no order."""

from dataclasses import replace
from typing import Literal

import pytest
import torch

from dcell_model.graph_models.multigraph.encoder import GeneEncoder
from tests.dcell_model.graph_models.networks import SMALL_MULTIGRAPH

# 0 – 1 – 2 – 3 by turns in two networks; 4 is in none.
FIRST, SECOND = (
    torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]]), torch.tensor([[1, 2], [2, 1]])
)  # fmt: skip
Kind = Literal["gin", "gatv2", "sage"]
KINDS: list[Kind] = ["gin", "gatv2", "sage"]


def encoder(kind: Kind, depth: int = 2) -> GeneEncoder:
    torch.manual_seed(0)
    config = replace(SMALL_MULTIGRAPH, convolution=kind, depth=depth)
    return GeneEncoder(config, 2).double()


def features() -> torch.Tensor:
    return torch.randn(5, 8, dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_gene_sees_through_all_networks_as_far_as_it_is_deep(kind: Kind, depth: int) -> None:
    own = features().requires_grad_()
    (encoder(kind, depth)(own, [FIRST, SECOND])[0] * torch.randn(8).double()).sum().backward()
    assert own.grad is not None
    assert own.grad.any(dim=1).tolist() == [n <= depth for n in range(4)] + [False]


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_edges_does_not_matter(kind: Kind) -> None:
    own, x = encoder(kind), features()
    torch.testing.assert_close(own(x, [FIRST.flip(1), SECOND.flip(1)]), own(x, [FIRST, SECOND]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_gene_of_no_network_has_an_embedding_of_its_own(kind: Kind) -> None:
    none = torch.empty(2, 0, dtype=torch.int64)
    x = features()
    encoded = encoder(kind)(x, [none, none])
    assert encoded.isfinite().all()
    assert len(encoded.unique(dim=0)) == 5
    joined = encoder(kind)(x, [FIRST, SECOND])
    torch.testing.assert_close(joined[4], encoded[4])
    assert not torch.allclose(joined[0], encoded[0])
