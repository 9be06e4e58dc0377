"""Encoders see the neighbours, as many steps away as they are deep, in no order."""

from dataclasses import replace
from typing import Literal

import pytest
import torch

from dcell_model.graph_models.dango.encoder import NetworkEncoder
from tests.dcell_model.graph_models.networks import SMALL

PATH = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])  # 0 – 1 – 2 – 3, and 4 by itself
Kind = Literal["sage", "gin"]


@pytest.mark.parametrize("kind", ["sage", "gin"])
@pytest.mark.parametrize("depth", [1, 2])
def test_a_gene_sees_as_far_as_the_encoder_is_deep(kind: Kind, depth: int) -> None:
    torch.manual_seed(0)
    encoder = NetworkEncoder(replace(SMALL, encoder=kind, depth=depth))
    features = torch.randn(5, 8, requires_grad=True)
    (encoder(features, PATH)[0] * torch.randn(8)).sum().backward()
    assert features.grad is not None
    assert features.grad.any(dim=1).tolist() == [n <= depth for n in range(4)] + [False]


@pytest.mark.parametrize("kind", ["sage", "gin"])
def test_the_order_of_edges_does_not_matter(kind: Kind) -> None:
    torch.manual_seed(0)
    encoder = NetworkEncoder(replace(SMALL, encoder=kind)).double()
    features = torch.randn(5, 8).double()
    shuffled = PATH[:, torch.randperm(PATH.shape[1])]
    torch.testing.assert_close(encoder(features, shuffled), encoder(features, PATH))


@pytest.mark.parametrize("kind", ["sage", "gin"])
def test_no_edges(kind: Kind) -> None:
    encoder = NetworkEncoder(replace(SMALL, encoder=kind))
    assert encoder(torch.randn(5, 8), torch.empty(2, 0, dtype=torch.int64)).isfinite().all()


def test_as_published_every_convolution_is_followed_by_swish() -> None:
    torch.manual_seed(0)
    encoder = NetworkEncoder(replace(SMALL, norm="none", depth=2)).double()
    features = torch.randn(5, 8).double()
    neighbours = torch.zeros(5, 5).double()
    neighbours[PATH[0], PATH[1]] = 1
    mean = neighbours / neighbours.sum(1, keepdim=True).clamp(min=1)
    expected = features
    for layer in encoder.convolutions:
        z = layer.lin_l(mean @ expected) + layer.lin_r(expected)
        expected = z * z.sigmoid()
    torch.testing.assert_close(encoder(features, PATH), expected)
    assert not list(encoder.norms)
