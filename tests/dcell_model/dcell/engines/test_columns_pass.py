"""The pass for GPUs against `reference`, and what is around it; on a CPU in the interpreter."""

from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data_specs.parameters.sections import Model as ModelConfig
from dcell_model.data.dataset import MutantStateBatch, encode_genotypes
from dcell_model.dcell.engines import columns_pass, forward_with_states, native_pass
from dcell_model.dcell.gpu import Recordings
from dcell_model.dcell.loss import dcell_loss
from dcell_model.dcell.model import DCell
from dcell_model.dcell.native import load
from tests.conftest import examples
from tests.dcell_model.dcell.engines.test_equivalence import (
    GENOTYPES,
    assert_equal,
    assert_equivalent,
    batch_of,
)
from tests.dcell_model.dcell.gpu.test_replay import _Recorder
from tests.engines import running
from tests.hierarchies import random_cell_graph

pytest.importorskip("triton", reason="Triton has no wheel for this platform")
pytestmark = [
    pytest.mark.skipif(load() is None, reason="plans need the native library"),
    # On a GPU kernels are compiled and take tensors there: `test_on_a_gpu` runs them.
    pytest.mark.skipif(torch.cuda.is_available(), reason="the interpreter runs where no GPU is"),
]
GRAPH = random_cell_graph(1, terms=6)


@settings(max_examples=examples(24))
@given(
    seed=st.integers(0, 30),
    order=st.sampled_from(["act_norm", "norm_act"]),
    activation=st.sampled_from(["tanh", "relu", "gelu"]),
    norm=st.sampled_from(["batch", "batch", "none"]),
    genes=st.sampled_from(["state", "disruption"]),
    widths=st.sampled_from(["contained", "direct"]),
    embedding=st.sampled_from([0, 3]),
    training=st.booleans(),
    phenotypes=st.integers(1, 2),
)
def test_equal_to_reference(
    seed: int, order: Any, activation: Any, norm: Any, genes: Any, widths: Any, embedding: int,
    training: bool, phenotypes: int,
) -> None:  # fmt: skip
    graph = random_cell_graph(seed, terms=7)
    config = ModelConfig(
        width_min=2, norm_order=order, activation=activation, norm=norm, gene_input=genes,
        width_genes=widths, gene_embedding=embedding,
    )  # fmt: skip
    batch = batch_of(graph, GENOTYPES, phenotypes)
    assert_equivalent(graph, config, batch, "columns", training=training)


def test_single_precision() -> None:
    for order in ("act_norm", "norm_act"):
        config = ModelConfig(width_min=4, norm_order=order)
        # Each gene once, so that no term has a variance of rounding alone.
        batch = batch_of(GRAPH, [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11], [12, 13]])
        assert_equivalent(
            GRAPH, config, batch, "columns", dtype=torch.float32, tolerance=1e-4, floor=1e-2
        )


def test_training_stays_together() -> None:
    """Twenty optimiser steps from one seed."""
    config, batch = ModelConfig(width_min=3), batch_of(GRAPH, GENOTYPES)
    states = []
    for way in ("columns", "native"):
        torch.manual_seed(0)
        model = DCell(GRAPH, config).double().train()
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
        with running(way):
            for _ in range(20):
                optimiser.zero_grad()
                heads = model(batch, dense=False)
                dcell_loss(heads, batch.phenotypes.double(), model).backward()
                optimiser.step()
        states.append(model.state_dict())
    for name, value in states[0].items():
        assert_equal(value, states[1][name], 1e-6, name)


def test_states_are_those_of_the_native_pass() -> None:
    model = DCell(GRAPH, ModelConfig(width_min=3, width_ratio=0.9)).double().eval()
    batch = batch_of(GRAPH, GENOTYPES)
    with torch.no_grad():
        expected = native_pass.forward_with_states(model, batch)[1]
        with running("columns"):
            heads, changes = forward_with_states(model, batch)
        assert_equal(columns_pass.forward_with_states(model, batch)[1], expected, 1e-9, "states")
    assert len(changes) == len(heads.column)


def test_the_wild_type_is_kept() -> None:
    """In evaluation it is computed once; predictions stay the same."""
    model = DCell(GRAPH, ModelConfig(width_min=3)).double().eval()
    batch = batch_of(GRAPH, GENOTYPES)
    with torch.no_grad(), running("columns"):
        first = model(batch)
        assert model.wild_type_cache.get(model).numel()
        assert_equal(model(batch), first, 1e-12, "heads")


def test_a_plan_made_ahead_changes_nothing() -> None:
    model, batch = DCell(GRAPH, ModelConfig(width_min=3)), batch_of(GRAPH, GENOTYPES)
    with running("columns"):
        expected = model(batch)
        columns_pass.planner(model)(batch)
        assert batch.plan is not None
        batch.deleted_gene.zero_()  # is not read again
        assert torch.equal(model(batch), expected)


def test_recorded_passes_give_the_same() -> None:
    """Batches of one shape by one recording, their backward passes after all forward ones."""
    model = DCell(GRAPH, ModelConfig(width_min=3)).double()
    batches = [batch_of(GRAPH, [[a, a + 1], [a + 2], [0, a]]) for a in range(1, 4)]

    def gradients(together: bool) -> list[torch.Tensor]:
        model.zero_grad()
        losses = []
        for batch in batches:
            heads = model(batch, dense=False)
            losses.append(dcell_loss(heads, batch.phenotypes.double(), model))
            if not together:
                losses[-1].backward()
        if together:
            torch.stack(losses).sum().backward()
        return [p.grad.clone() for p in model.parameters() if p.grad is not None]

    record = _Recorder()
    recordings = Recordings(record)

    def recorded(layout: Any, key: Any, work: Any, inputs: Any) -> Any:
        return recordings.run(key, work, inputs)

    with running("columns"):
        expected = gradients(together=False)
        with mock.patch.object(columns_pass, "_recorded", recorded):
            for together in (False, True):
                for a, b in zip(gradients(together), expected, strict=True):
                    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)
    assert record.recorded == 2  # one forward, one backward
    assert record.replayed == 2 * (2 * len(batches) - 1)


def arguments(model: DCell, batch: MutantStateBatch) -> tuple[Any, ...]:
    from dcell_model.dcell.engines.weights import Weights

    operands = [
        t.detach().clone().requires_grad_(i < 9) for i, t in enumerate(Weights.of(model).to_list())
    ]
    plan = columns_pass.plan_operator(
        batch.deleted_sample, batch.deleted_gene, len(batch), model.layout.handle
    )
    known = torch.empty(0, dtype=torch.float64)
    return operands, plan, known, model.layout.handle, True, torch.float64, False


def test_operators_keep_the_rules_of_torch() -> None:
    graph = random_cell_graph(3, terms=5, genes=6)
    model = DCell(graph, ModelConfig(width_min=2)).double()
    batch = encode_genotypes(graph, [[], [0], [1, 2], [5], [3, 4]])
    torch.library.opcheck(
        columns_pass.forward_operator, arguments(model, batch),
        test_utils=("test_schema", "test_faketensor", "test_autograd_registration"),
    )  # fmt: skip


def test_suits_what_it_can() -> None:
    """Never on the CPU; layer norm, two layers and graded states are for the pass in torch."""
    model = DCell(GRAPH, ModelConfig())
    batch = mock.Mock(deleted_state=None)
    assert not columns_pass.suits(model, batch)
    on_gpu = mock.Mock(is_cuda=True, dtype=torch.float32)
    for config, suits in [
        (ModelConfig(), True), (ModelConfig(norm="layer"), False), (ModelConfig(layers=2), False),
        (ModelConfig(norm="none"), True),
    ]:  # fmt: skip
        model = mock.Mock(bias=on_gpu, config=config, sync_batchnorm=False, training=True)
        assert columns_pass.suits(model, batch) == suits
        assert not columns_pass.suits(model, mock.Mock(deleted_state=torch.ones(1)))
        model.sync_batchnorm = True
        assert columns_pass.suits(model, batch) == (suits and config.norm != "batch")


def test_no_samples_and_nothing_touched() -> None:
    model = DCell(GRAPH, ModelConfig(width_min=3)).double().eval()
    for genotypes in ([], [[]], [[14], []]):
        batch = batch_of(GRAPH, genotypes)
        with running("columns"):
            heads = model(batch)
        assert heads.shape == (GRAPH.num_terms, len(genotypes), 1)
        np.testing.assert_allclose(
            heads.detach(), native_pass.forward(model, batch).dense().detach(), rtol=1e-12
        )


def test_products_are_rounded_where_torch_is_told_so() -> None:
    assert not columns_pass._may_round()
    try:
        torch.set_float32_matmul_precision("high")
        assert columns_pass._may_round()
    finally:
        torch.set_float32_matmul_precision("highest")
    assert not columns_pass._may_round()
