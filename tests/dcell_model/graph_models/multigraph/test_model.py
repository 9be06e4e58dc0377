"""The model: genes once a step, sets without order, and encodings that are never old."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import functional_call

from dcell_model.bench.graph_copies import CopiedGraphs
from dcell_model.graph_models.multigraph.model import Multigraph
from tests.dcell_model.graph_models.networks import (
    GENES,
    SMALL_MULTIGRAPH,
    batch_of,
    small_multigraph,
)

CONVOLUTIONS = ["gin", "gatv2", "sage"]
KINDS = list(product(CONVOLUTIONS, ["sum", "mean", "attention", "pairwise"]))
SETS = [[0], [3, 1], [2, 5, 7], [], [9, 8, 4, 1], [2, 5, 7]]


def model(convolution: str = "sage", aggregation: str = "mean", **options: Any) -> Multigraph:
    sizes = {key: options.pop(key) for key in ("phenotypes", "count") if key in options}
    config = replace(
        SMALL_MULTIGRAPH,
        convolution=convolution,  # type: ignore[arg-type]
        aggregation=aggregation,  # type: ignore[arg-type]
        **options,
    )
    return small_multigraph(config, **sizes)


@pytest.mark.parametrize(("convolution", "aggregation"), KINDS)
def test_shape_and_the_same_genotype_twice(convolution: str, aggregation: str) -> None:
    heads = model(convolution, aggregation, phenotypes=2)(batch_of(SETS))
    assert heads.shape == (1, len(SETS), 2)
    assert heads.isfinite().all()
    torch.testing.assert_close(heads[0, 2], heads[0, 5])


@pytest.mark.parametrize(("convolution", "aggregation"), KINDS)
@pytest.mark.parametrize("global_branch", [True, False])
def test_neither_order_nor_company_matters(
    convolution: str, aggregation: str, global_branch: bool
) -> None:
    """A sample's prediction depends on its own set: not on order, padding or the rest."""
    own = model(convolution, aggregation, global_branch=global_branch).double().eval()
    together = own(batch_of(SETS))[0]
    for number, genes in enumerate(SETS):
        torch.testing.assert_close(own(batch_of([genes[::-1]]))[0, 0], together[number])


@given(
    st.lists(st.lists(st.integers(0, GENES - 1), max_size=6, unique=True), min_size=1, max_size=6),
    st.randoms(),
)
def test_genotypes_of_any_sizes_in_any_order(sets: list[list[int]], random: Any) -> None:
    own = model("gin", "pairwise").double().eval()
    found = own(batch_of(sets))[0]
    mixed = [sorted(genes, key=lambda _: random.random()) for genes in sets]
    order = sorted(range(len(sets)), key=lambda _: random.random())
    torch.testing.assert_close(own(batch_of([mixed[n] for n in order]))[0], found[order])


@pytest.mark.parametrize("global_branch", [True, False])
def test_the_wild_type_alone(global_branch: bool) -> None:
    own = model(global_branch=global_branch)
    alone = own(batch_of([[], []]))
    assert alone.shape == (1, 2, 1)
    assert alone.isfinite().all()
    torch.testing.assert_close(own(batch_of(SETS))[0, 3], alone[0, 0])


@pytest.mark.parametrize("samples", [1, 2, 64])
def test_every_graph_is_encoded_once_a_step(samples: int) -> None:
    own, calls = model(), []
    for layer in own.encoder.layers:
        for convolution in layer.convolutions:
            convolution.register_forward_hook(lambda *_: calls.append(1))
    random = np.random.default_rng(0)
    genotypes = [random.choice(GENES, 3, replace=False).tolist() for _ in range(samples)]
    own(batch_of(genotypes)).sum().backward()
    assert len(calls) == 2 * 3  # layers, networks


@pytest.mark.parametrize(("convolution", "aggregation"), KINDS)
def test_encoding_once_equals_copying_the_graph_for_each_sample(
    convolution: str, aggregation: str
) -> None:
    """Predictions and all gradients, in float64."""
    own = model(convolution, aggregation, phenotypes=2).double()
    batch, gradients = batch_of(SETS, phenotypes=2), []
    for forward in (own, CopiedGraphs(own)):
        own.zero_grad()
        heads = forward(batch)
        (heads[0] - batch.phenotypes).square().mean().backward()
        gradients.append((heads.detach(), {n: p.grad for n, p in own.named_parameters()}))
    (once, of_once), (copies, of_copies) = gradients
    torch.testing.assert_close(once, copies, rtol=1e-9, atol=1e-12)
    for name, gradient in of_once.items():
        torch.testing.assert_close(gradient, of_copies[name], rtol=1e-9, atol=1e-12, msg=name)


@pytest.mark.parametrize(("convolution", "aggregation"), KINDS)
def test_gradients_are_right(convolution: str, aggregation: str) -> None:
    own = model(convolution, aggregation, width=4, depth=1, count=2).double()
    names = [name for name, _ in own.named_parameters()]

    def predicted(*values: torch.Tensor) -> torch.Tensor:
        given = dict(zip(names, values, strict=True))
        heads: torch.Tensor = functional_call(own, given, (batch_of(SETS[:4]),))
        return heads

    values = tuple(p.detach().clone().requires_grad_() for p in own.parameters())
    assert torch.autograd.gradcheck(predicted, values, fast_mode=True)


@pytest.mark.parametrize(("convolution", "aggregation"), KINDS)
def test_gradients_reach_every_parameter(convolution: str, aggregation: str) -> None:
    own = model(convolution, aggregation)
    own(batch_of(SETS)).square().sum().backward()
    for name, parameter in own.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # The last network has no edges to hear from, so that a gene attends to itself alone.
        alone = ".2.lin_l" in name or "2.att" in name or ".2.lin_r" in name
        if not alone:
            assert parameter.grad.any(), name


def test_one_seed_one_model() -> None:
    first, second = (model("gatv2", "attention").state_dict() for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("aggregation", ["sum", "mean", "attention", "pairwise"])
def test_one_network(aggregation: str) -> None:
    assert model(aggregation=aggregation, count=1)(batch_of(SETS)).isfinite().all()


def test_networks_are_no_part_of_the_state() -> None:
    assert not [name for name in model().state_dict() if "edges" in name or "encoded" in name]
    assert model().num_parameters() == sum(p.numel() for p in model().parameters())
    assert model().weight_penalty().item() > 0
    assert not [n for n in model(global_branch=False).state_dict() if n.startswith(("cell", "g"))]


# Cached embeddings


def counted(own: Multigraph) -> list[int]:
    calls: list[int] = []
    own.encoder.register_forward_hook(lambda *_: calls.append(1))
    return calls


@torch.no_grad()
def test_an_evaluation_encodes_once_and_predicts_the_same() -> None:
    own, fresh = model("gatv2", "attention").eval(), model("gatv2", "attention").eval()
    fresh.config = replace(fresh.config, cache_embeddings=False)
    calls, others = counted(own), counted(fresh)
    for genes in SETS:
        batch = batch_of([genes])
        assert torch.equal(own(batch), fresh(batch))
    assert (len(calls), len(others)) == (1, len(SETS))


def test_gradients_and_training_take_no_old_embeddings() -> None:
    own = model().eval()
    calls = counted(own)
    with torch.no_grad():
        own(batch_of(SETS))
    own(batch_of(SETS)).sum().backward()
    assert own.features.weight.grad is not None
    own.train()
    with torch.no_grad():
        own(batch_of(SETS))
    assert len(calls) == 3


def by_optimiser(own: Multigraph) -> None:
    optimiser = torch.optim.AdamW(own.parameters(), lr=0.1, fused=True)
    with torch.enable_grad():
        own(batch_of(SETS)).square().sum().backward()
    optimiser.step()


def by_state(own: Multigraph) -> None:
    torch.manual_seed(7)
    other = Multigraph(own.graph, own.networks, own.config)
    own.load_state_dict(other.state_dict())


def in_place(own: Multigraph) -> None:
    own.encoder.layers[1].norm.bias.add_(1)


def by_double(own: Multigraph) -> None:
    own.double()


def after_training(own: Multigraph) -> None:
    own.train()
    own.features.weight.data.mul_(2)  # which torch does not count
    own.eval()


@pytest.mark.parametrize(
    "change", [by_optimiser, by_state, in_place, by_double, after_training],
    ids=lambda change: change.__name__,
)  # fmt: skip
@torch.no_grad()
def test_changed_weights_are_encoded_again(change: Callable[[Multigraph], None]) -> None:
    own = model("gin").eval()
    before = own(batch_of(SETS))
    change(own)
    fresh = Multigraph(own.graph, own.networks, replace(own.config, cache_embeddings=False))
    fresh.to(own.features.weight.dtype).load_state_dict(own.state_dict())
    expected = fresh.eval()(batch_of(SETS))
    assert torch.equal(own(batch_of(SETS)), expected)
    assert not torch.equal(before, expected)
