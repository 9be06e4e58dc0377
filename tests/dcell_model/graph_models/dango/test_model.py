"""The model: graphs once a step, sets without order, gradients to everything."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from data_specs.parameters.sections import resolve
from dcell_model.graph_models.dango.aggregation import MetaEmbedding
from dcell_model.graph_models.dango.model import Dango
from dcell_model.graph_models.hyper_sagnn import ReZeroHyperSAGNN
from tests.dcell_model.graph_models.networks import GENES, SMALL, batch_of, small_model

AGGREGATIONS = ["cross_attention", "pairwise", "meta_embedding"]
KINDS = list(product(["sage", "gin"], AGGREGATIONS))
SETS = [[0], [3, 1], [2, 5, 7], [], [9, 8, 4, 1], [2, 5, 7]]


def model(encoder: str = "sage", aggregation: str = "cross_attention", **options: Any) -> Dango:
    torch.manual_seed(0)
    config = replace(SMALL, encoder=encoder, aggregation=aggregation)  # type: ignore[arg-type]
    return small_model(config, **options)


def test_only_wild_types() -> None:
    assert model()(batch_of([[], []])).tolist() == [[[0.0], [0.0]]]


@pytest.mark.parametrize(("encoder", "aggregation"), KINDS)
def test_shape_and_the_same_genotype_twice(encoder: str, aggregation: str) -> None:
    heads = model(encoder, aggregation, phenotypes=2)(batch_of(SETS))
    assert heads.shape == (1, len(SETS), 2)
    assert heads.isfinite().all()
    torch.testing.assert_close(heads[0, 2], heads[0, 5])


@pytest.mark.parametrize(("encoder", "aggregation"), KINDS)
def test_neither_order_nor_company_matters(encoder: str, aggregation: str) -> None:
    """A sample's prediction depends on its own set: not on order, padding or the rest."""
    dango = model(encoder, aggregation).double().eval()
    together = dango(batch_of(SETS))[0]
    for number, genes in enumerate(SETS):
        alone = dango(batch_of([genes[::-1]]))[0, 0]
        torch.testing.assert_close(alone, together[number])


@pytest.mark.parametrize("samples", [1, 2, 64])
def test_every_graph_is_encoded_once_a_step(samples: int) -> None:
    dango, calls = model(), []
    for encoder in dango.encoders:
        encoder.register_forward_hook(lambda *_: calls.append(1))
    random = np.random.default_rng(0)
    genotypes = [random.choice(GENES, 3, replace=False).tolist() for _ in range(samples)]
    dango(batch_of(genotypes)).sum().backward()
    assert len(calls) == len(dango.encoders) == 3


@pytest.mark.parametrize(("encoder", "aggregation"), KINDS)
def test_gradients_reach_every_parameter(encoder: str, aggregation: str) -> None:
    dango = model(encoder, aggregation)
    dango(batch_of(SETS)).square().sum().backward()
    for name, parameter in dango.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # A key's bias moves all affinities of a gene alike, which softmax does not see; the last
        # network has no edges to hear from.
        if not (name.endswith("key.bias") or "encoders.2" in name):
            assert parameter.grad.any(), name


def test_a_gene_that_is_not_deleted_matters_through_its_neighbours() -> None:
    dango = model()
    dango(batch_of([[0, 1]])).sum().backward()
    grad = dango.features.weight.grad
    assert grad is not None
    assert int(grad.any(dim=1).sum()) > 2


def test_one_network() -> None:
    for aggregation in AGGREGATIONS:
        assert model(aggregation=aggregation, count=1)(batch_of(SETS)).isfinite().all()


def test_networks_are_no_part_of_the_state() -> None:
    assert not [name for name in model().state_dict() if "edges" in name]
    assert model().num_parameters() == sum(p.numel() for p in model().parameters())
    assert model().weight_penalty().item() > 0


def test_as_published_it_has_other_parts_and_the_same_ways() -> None:
    """The preset's head, norm and aggregation, small: order, padding and company do not matter."""
    torch.manual_seed(0)
    published = resolve({"preset": "dango-2020"}).dango
    config = replace(published, networks=(), incomplete=("n1",), width=8, heads=2)
    dango = small_model(config).double().eval()
    assert isinstance(dango.head, ReZeroHyperSAGNN)
    assert isinstance(dango.aggregate, MetaEmbedding)
    for layer in dango.head.layers:
        layer.beta.data.fill_(0.5)
    together = dango(batch_of(SETS))[0]
    for number, genes in enumerate(SETS):
        torch.testing.assert_close(dango(batch_of([genes[::-1]]))[0, 0], together[number])
    assert together[3].tolist() == [0.0]  # the wild type
