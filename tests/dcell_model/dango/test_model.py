"""The model: graphs once a step, sets without order, gradients to everything."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from dcell_model.dango.model import Dango, pad
from dcell_model.data.dataset import MutantStateBatch, encode_genotypes
from tests.dcell_model.dango.networks import GENES, GRAPH, SMALL, small_model

KINDS = list(product(["sage", "gin"], ["cross_attention", "pairwise"]))
SETS = [[0], [3, 1], [2, 5, 7], [], [9, 8, 4, 1], [2, 5, 7]]


def batch(genotypes: list[list[int]], phenotypes: int = 1) -> MutantStateBatch:
    targets = np.random.default_rng(0).normal(size=(len(genotypes), phenotypes))
    return encode_genotypes(GRAPH, genotypes, targets.astype(np.float32))


def model(encoder: str = "sage", aggregation: str = "cross_attention", **options: Any) -> Dango:
    torch.manual_seed(0)
    config = replace(SMALL, encoder=encoder, aggregation=aggregation)  # type: ignore[arg-type]
    return small_model(config, **options)


def test_only_wild_types() -> None:
    assert model()(batch([[], []])).tolist() == [[[0.0], [0.0]]]


@pytest.mark.parametrize(("encoder", "aggregation"), KINDS)
def test_shape_and_the_same_genotype_twice(encoder: str, aggregation: str) -> None:
    heads = model(encoder, aggregation, phenotypes=2)(batch(SETS))
    assert heads.shape == (1, len(SETS), 2)
    assert heads.isfinite().all()
    torch.testing.assert_close(heads[0, 2], heads[0, 5])


@pytest.mark.parametrize(("encoder", "aggregation"), KINDS)
def test_neither_order_nor_company_matters(encoder: str, aggregation: str) -> None:
    """A sample's prediction depends on its own set: not on order, padding or the rest."""
    dango = model(encoder, aggregation).double().eval()
    together = dango(batch(SETS))[0]
    for number, genes in enumerate(SETS):
        alone = dango(batch([genes[::-1]]))[0, 0]
        torch.testing.assert_close(alone, together[number])


@pytest.mark.parametrize("samples", [1, 2, 64])
def test_every_graph_is_encoded_once_a_step(samples: int) -> None:
    dango, calls = model(), []
    for encoder in dango.encoders:
        encoder.register_forward_hook(lambda *_: calls.append(1))
    random = np.random.default_rng(0)
    genotypes = [random.choice(GENES, 3, replace=False).tolist() for _ in range(samples)]
    dango(batch(genotypes)).sum().backward()
    assert len(calls) == len(dango.encoders) == 3


@pytest.mark.parametrize(("encoder", "aggregation"), KINDS)
def test_gradients_reach_every_parameter(encoder: str, aggregation: str) -> None:
    dango = model(encoder, aggregation)
    dango(batch(SETS)).square().sum().backward()
    for name, parameter in dango.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # A key's bias moves all affinities of a gene alike, which softmax does not see; the last
        # network has no edges to hear from.
        if not (name.endswith("key.bias") or "encoders.2" in name):
            assert parameter.grad.any(), name


def test_a_gene_that_is_not_deleted_matters_through_its_neighbours() -> None:
    dango = model()
    dango(batch([[0, 1]])).sum().backward()
    grad = dango.features.weight.grad
    assert grad is not None
    assert int(grad.any(dim=1).sum()) > 2


def test_one_network() -> None:
    for aggregation in ("cross_attention", "pairwise"):
        assert model(aggregation=aggregation, count=1)(batch(SETS)).isfinite().all()


def test_networks_are_no_part_of_the_state() -> None:
    assert not [name for name in model().state_dict() if "edges" in name]
    assert model().num_parameters() == sum(p.numel() for p in model().parameters())
    assert model().weight_penalty().item() > 0


def test_pad() -> None:
    values, present = pad(torch.tensor([2, 0, 2, 2]), torch.tensor([5, 6, 7, 8]), 4)
    assert values.tolist() == [[6, 0, 0], [0, 0, 0], [5, 7, 8], [0, 0, 0]]
    assert present.sum(1).tolist() == [1, 0, 3, 0]
    empty, nothing = pad(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64), 0)
    assert empty.shape == nothing.shape == (0, 1)
