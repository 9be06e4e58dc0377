"""Attention in `incremental`: the function that `reference` computes, and its gradients."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data_specs.parameters.sections import Model as ModelConfig
from dcell_model.data.dataset import MutantStateDataset, encode_genotypes
from dcell_model.dcell import tokens
from dcell_model.dcell.engines import attention_pass, incremental, work_plan
from dcell_model.dcell.engines.reference import outputs_and_heads
from dcell_model.dcell.loss import dcell_loss
from dcell_model.dcell.model import DCell
from dcell_model.dcell.native import load
from tests.dcell_model.dcell.engines.test_equivalence import (
    GENOTYPES,
    GRADED,
    assert_equal,
    assert_equivalent,
    batch_of,
    graded_batch,
)
from tests.hierarchies import cell_graph, random_cell_graph

ENTRIES = ("columns", "samples")  # what is touched, by column or by sample


@contextlib.contextmanager
def taking(entries: str) -> Iterator[str]:
    """The engine, with entries of one kind; skips columns without the native library."""
    if entries == "columns" and load() is None:
        pytest.skip("columns are found by the native library, which is not built")
    library = load() if entries == "columns" else None
    with mock.patch.object(attention_pass, "load", return_value=library):
        yield "torch"


def config_of(**changes: Any) -> ModelConfig:
    return ModelConfig(**{"width_min": 3, "attention_heads": 2, "attention_width": 6, **changes})


@pytest.mark.parametrize("entries", ENTRIES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "variant",
    [
        {"norm_order": "act_norm"},
        {"norm_order": "norm_act"},
        {"norm": "layer", "norm_order": "act_norm", "activation": "gelu"},
        {"norm": "layer", "norm_order": "norm_act", "gene_embedding": 3},
        {"norm": "none", "activation": "relu"},
        {"gene_embedding": 3, "norm_order": "act_norm"},
        {"gene_embedding": 2, "norm_order": "norm_act", "gene_input": "disruption"},
        {"gene_input": "disruption", "norm_order": "act_norm"},
        {"layers": 2, "norm_order": "norm_act", "gene_embedding": 2},
        {"layers": 2, "norm": "layer"},
        {"attention_heads": 1, "attention_width": 1, "init": "uniform"},
    ],
)
def test_engines_agree_on_every_variant(
    variant: dict[str, Any], training: bool, entries: str
) -> None:
    graph = random_cell_graph(2)
    batch = batch_of(graph, GENOTYPES, 2)
    with taking(entries) as way:
        assert_equivalent(graph, config_of(**variant), batch, way, training=training)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    terms=st.integers(2, 25),
    genotypes=st.lists(
        st.lists(st.integers(0, 14), max_size=4, unique=True), min_size=2, max_size=9
    ),
    entries=st.sampled_from(ENTRIES),
    norm=st.sampled_from(["batch", "layer"]),
    norm_order=st.sampled_from(["act_norm", "norm_act"]),
    embedding=st.sampled_from([0, 2]),
    gene_tokens=st.sampled_from([1, 3, 128]),
    heads=st.sampled_from([1, 2, 3]),
    training=st.booleans(),
)
def test_engines_agree_on_random_hierarchies(
    seed: int, terms: int, genotypes: list[list[int]], entries: str, norm: str, norm_order: str,
    embedding: int, gene_tokens: int, heads: int, training: bool,
) -> None:  # fmt: skip
    graph = random_cell_graph(seed, terms)
    config = config_of(
        norm=norm, norm_order=norm_order, gene_embedding=embedding, attention_heads=heads,
        width_ratio=0.7,
    )  # fmt: skip
    genotypes = [*genotypes, *([gene] for gene in range(15))]  # see `test_equivalence`
    batch = batch_of(graph, genotypes)
    with mock.patch.object(tokens, "GENE_TOKENS", gene_tokens), taking(entries) as way:
        assert_equivalent(graph, config, batch, way, training=training)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    terms=st.integers(2, 25),
    genotypes=GRADED,
    entries=st.sampled_from(ENTRIES),
    gene_input=st.sampled_from(["state", "disruption"]),
    embedding=st.sampled_from([0, 2]),
    training=st.booleans(),
)  # fmt: skip
def test_engines_agree_on_graded_states(
    seed: int, terms: int, genotypes: list[dict[int, float]], entries: str, gene_input: str,
    embedding: int, training: bool,
) -> None:  # fmt: skip
    graph = random_cell_graph(seed, terms)
    config = config_of(gene_input=gene_input, gene_embedding=embedding)
    with taking(entries) as way:
        assert_equivalent(graph, config, graded_batch(graph, genotypes), way, training=training)


@pytest.mark.parametrize("embedding", [0, 2])
@pytest.mark.parametrize("entries", ENTRIES)
def test_samples_that_share_deletions_and_one_of_500(entries: str, embedding: int) -> None:
    """Terms of a hundred direct genes and more are there, so tokens beyond those of a mask."""
    graph = random_cell_graph(11, terms=12, genes=520)
    random = np.random.default_rng(2)
    crosses = [[q, q + 1, a] for q in (0, 7) for a in random.choice(500, 12, replace=False) + 10]
    genotypes = [*crosses, *crosses[:5], [], [], list(range(500)), [3], [3]]
    genotypes += [[int(gene)] for gene in range(0, 510, 3)]
    config = config_of(
        width_ratio=0.01, norm_order="act_norm", norm="layer", gene_embedding=embedding
    )
    assert max(own.count for own in DCell(graph, config).layout.tokens) > (90 if embedding else 3)
    with taking(entries) as way:
        assert_equivalent(graph, config, batch_of(graph, genotypes), way)


@pytest.mark.parametrize("entries", ENTRIES)
def test_engines_agree_in_float32(entries: str) -> None:
    graph = random_cell_graph(1)
    config = config_of(width_min=5, norm_order="act_norm", gene_embedding=2)
    with taking(entries) as way:
        assert_equivalent(
            graph, config, batch_of(graph, GENOTYPES), way, dtype=torch.float32, tolerance=1e-4
        )


@pytest.mark.parametrize("entries", ENTRIES)
@pytest.mark.parametrize("genotypes", [[[], []], [[0], [0]], [[14], []]])
def test_batches_that_touch_nothing_or_one_column(genotypes: list[list[int]], entries: str) -> None:
    graph = cell_graph([(1, 0), (2, 0)], [(0, 2), (1, 0), (2, 1)], terms=3, genes=15)
    with taking(entries) as way:
        assert_equivalent(
            graph, config_of(norm="layer"), batch_of(graph, genotypes), way, floor=1.0
        )


def test_a_hierarchy_without_any_two_tokens() -> None:
    graph = cell_graph([(1, 0)], [(1, 0)], terms=2, genes=1)
    assert DCell(graph, config_of()).attention_in.numel() == 0
    assert_equivalent(graph, config_of(), batch_of(graph, [[], [0]]), "torch")


@pytest.mark.parametrize("embedding", [0, 2])
@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_gradients_are_those_of_finite_differences(norm: str, embedding: int) -> None:
    graph = random_cell_graph(0, terms=5, genes=6)
    torch.manual_seed(0)
    config = config_of(norm=norm, gene_embedding=embedding, width_min=2, attention_width=2)
    model = DCell(graph, config).double()
    batch = encode_genotypes(graph, [[], [0], [1, 2], [3], [4, 0]])
    names = [name for name, own in model.named_parameters() if own.numel()]
    values = [own.detach().clone() for own in model.parameters() if own.numel()]

    def heads(*parameters: torch.Tensor) -> torch.Tensor:
        given = dict(zip(names, parameters, strict=True))
        out: torch.Tensor = torch.func.functional_call(model, given, (batch,))
        return out

    inputs = [value.requires_grad_() for value in values]
    assert torch.autograd.gradcheck(heads, inputs, atol=1e-5, rtol=1e-3, fast_mode=True)


@pytest.mark.parametrize("entries", ENTRIES)
def test_training_stays_together(entries: str) -> None:
    graph = random_cell_graph(7)
    batch = batch_of(graph, GENOTYPES)
    trained = []
    with taking(entries):
        for name in ("reference", "incremental"):
            torch.manual_seed(0)
            model = DCell(graph, config_of(), engine=name).double()
            optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
            for _ in range(20):
                optimiser.zero_grad()
                dcell_loss(model(batch), batch.phenotypes.double(), model).backward()
                optimiser.step()
            trained.append(model)
    for name, parameter in trained[1].named_parameters():
        assert_equal(parameter, dict(trained[0].named_parameters())[name], 1e-6, f"{name}: ")


def test_second_backward_starts_from_zero() -> None:
    graph = random_cell_graph(4)
    model = DCell(graph, config_of()).double()
    loss = model(batch_of(graph, GENOTYPES)).square().sum()
    loss.backward(retain_graph=True)
    once = [parameter.grad.clone() for parameter in model.parameters()]
    loss.backward()
    for parameter, gradient in zip(model.parameters(), once, strict=True):
        torch.testing.assert_close(parameter.grad, 2 * gradient)


def test_the_wild_type_is_kept_in_evaluation_until_a_parameter_changes() -> None:
    graph = random_cell_graph(3)
    model = DCell(graph, config_of()).double().eval()
    batch = encode_genotypes(graph, [[0], [1, 2], []])
    with torch.no_grad():
        first = model(batch)
        assert model.wild_type_cache.get(model).numel()
        assert torch.equal(model(batch), first)
        model.attention_out.mul_(2)
        assert not model.wild_type_cache.get(model).numel()
        changed = model(batch)
        model.engine = "reference"
        torch.testing.assert_close(changed, model(batch))


def test_states_are_how_far_outputs_are_from_the_wild_type() -> None:
    graph = random_cell_graph(6)
    model = DCell(graph, config_of()).double().eval()
    batch = encode_genotypes(graph, [[], *([gene] for gene in range(14)), [0, 3]])
    heads, changes = incremental.forward_with_states(model, batch)
    outputs, _ = outputs_and_heads(model, batch)
    for term, sample, change in zip(heads.entry_terms(), heads.sample, changes, strict=True):
        own = outputs[int(term)]
        expected = (own[int(sample)] - own[0]).square().mean().sqrt()
        torch.testing.assert_close(change, expected)


def test_products_in_half_precision() -> None:
    graph = random_cell_graph(1)
    torch.manual_seed(0)
    model = DCell(graph, config_of(gene_embedding=2, layers=2))
    batch = batch_of(graph, GENOTYPES)
    exact = model(batch).detach()
    with torch.autocast("cpu", torch.bfloat16):
        heads = model(batch)
        loss = dcell_loss(heads, batch.phenotypes, model)
    loss.backward()
    assert heads.dtype == torch.float32
    assert 0 < float((heads.detach() - exact).abs().max()) < 0.05
    assert model.attention_in.grad.isfinite().all()


def test_the_plan_names_the_pass_and_finds_columns_ahead() -> None:
    graph = random_cell_graph(1)
    batch = batch_of(graph, GENOTYPES)
    plan = work_plan(DCell(graph, config_of()), batch)
    assert plan.engine_pass == "in torch, with attention"
    assert plan.product > 0
    if load() is not None:
        assert plan.ahead is not None
        plan.ahead(batch)
        assert batch.plan is not None
        assert_equivalent(graph, config_of(norm_order="act_norm"), batch, "torch")


@pytest.mark.real
@pytest.mark.parametrize("embedding", [0, 2])
def test_engines_agree_on_the_real_hierarchy(real_build: Path, embedding: int) -> None:
    samples = MutantStateDataset(real_build / "store")
    batch = samples.batch(np.random.default_rng(0).choice(len(samples), 12, replace=False))
    batch.phenotypes = torch.nan_to_num(batch.phenotypes[:, :1])
    # Few samples move few neurons, and batch norm would divide rounding by what is left.
    config = config_of(norm="layer", width_min=4, width_ratio=0.01, gene_embedding=embedding)
    assert_equivalent(samples.graph, config, batch, "torch")
