"""What the native pass promises beyond equality: the same bytes, forks, extremes, sharpness."""

import os
from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest
import torch

from data_specs.cell_graph import CellGraph
from data_specs.parameters.sections import Model
from dcell_model.data.dataset import MutantStateBatch, encode_genotypes
from dcell_model.dcell.engines import native_pass
from dcell_model.dcell.loss import dcell_loss
from dcell_model.dcell.model import DCell
from dcell_model.dcell.native import load
from tests.dcell_model.dcell.engines.test_equivalence import assert_equivalent, batch_of
from tests.engines import running
from tests.hierarchies import random_cell_graph

pytestmark = pytest.mark.skipif(load() is None, reason="the native pass is not built")


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def large() -> tuple[CellGraph, MutantStateBatch]:
    graph = random_cell_graph(8, terms=120, genes=60)
    random = np.random.default_rng(1)
    genotypes = [random.choice(59, 3, replace=False).tolist() for _ in range(200)]
    return graph, batch_of(graph, genotypes)


def results(model: DCell, batch: MutantStateBatch) -> list[torch.Tensor]:
    model.zero_grad()
    loss = dcell_loss(model(batch, dense=False), batch.phenotypes.to(model.bias.dtype), model)
    loss.backward()
    gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    return [loss.detach(), *gradients, *(buffer.clone() for buffer in model.buffers())]


@pytest.mark.parametrize("norm_order", ["act_norm", "norm_act"])
def test_same_bytes_with_any_number_of_threads(norm_order: str) -> None:
    graph, batch = large()
    found = []
    with running("native") as engine:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            torch.manual_seed(0)
            model = DCell(graph, Model(norm_order=norm_order), engine=engine)
            found.append(results(model, batch))
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    graph, batch = large()
    torch.set_num_threads(3)
    with running("native") as engine:
        torch.manual_seed(0)
        model = DCell(graph, Model(), engine=engine).eval()
        with torch.no_grad():
            here = model(batch)
            torch.set_num_threads(1)  # OpenMP's threads do not survive a fork: torch would hang
            with mock.patch.object(torch, "get_num_threads", return_value=3):
                child = os.fork()
                if child == 0:
                    os._exit(0 if torch.equal(model(batch), here) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
@pytest.mark.parametrize("scale", [1e-6, 30.0])
def test_activations_far_from_where_they_bend(activation: str, scale: float) -> None:
    """Differences keep their digits where they are tiny, and where both ends are saturated."""
    graph = random_cell_graph(1)
    config = Model(activation=activation, norm="none", width_min=4)
    batch = batch_of(graph, [[], [0], [1, 2], [3, 4, 5], [6], [7, 8, 9]])
    torch.manual_seed(0)
    models = [DCell(graph, config, engine="reference").double() for _ in range(2)]
    with torch.no_grad():
        models[0].gene_weight.mul_(scale)
        models[0].child_weight.mul_(max(scale, 1))
    models[1].load_state_dict(models[0].state_dict())
    with running("native") as models[1].engine:
        heads = [model(batch) for model in models]
        wild = [own[:, :1] for own in heads]
    change = [own - first for own, first in zip(heads, wild, strict=True)]
    # The reference itself subtracts nearly equal numbers: it knows a change to 1e-16 of the head.
    torch.testing.assert_close(change[1], change[0], rtol=1e-8, atol=1e-13)
    assert heads[1].isfinite().all()


def test_float32_gradients_are_sharp() -> None:
    """Where few samples touch a term, batch norm multiplies rounding by up to 316."""
    graph, batch = large()
    gradients = {}
    torch.manual_seed(0)
    state = DCell(graph, Model(norm_order="act_norm")).state_dict()
    for way, dtype in (("native", torch.float32), ("torch", torch.float32),
                       ("native", torch.float64)):  # fmt: skip
        with running(way) as engine:
            model = DCell(graph, Model(norm_order="act_norm"), engine=engine).to(dtype)
            model.load_state_dict(state)
            results(model, batch)
            assert model.child_weight.grad is not None
            gradients[way, dtype] = model.child_weight.grad.double()
    exact = gradients["native", torch.float64]
    errors = {
        way: float((gradients[way, torch.float32] - exact).norm() / exact.norm())
        for way in ("native", "torch")
    }
    assert errors["native"] < 1e-5
    assert errors["native"] < errors["torch"]


def test_states_are_those_of_the_torch_pass() -> None:
    graph, batch = large()
    torch.manual_seed(0)
    model = DCell(graph, Model()).double().eval()
    with torch.no_grad():
        native, of_columns = native_pass.forward_with_states(model, batch)
        with running("torch"):
            from dcell_model.dcell.engines import torch_pass

            expected, of_entries = torch_pass.forward_with_states(model, batch)
    torch.testing.assert_close(of_columns[native.column], of_entries)
    assert torch.equal(native.entry_terms(), expected.entry_terms())
    assert torch.equal(native.sample.long(), expected.sample)


def test_a_genotype_of_hundreds_of_genes() -> None:
    graph = random_cell_graph(11, terms=20, genes=520)
    genotypes = [list(range(500)), list(range(10, 510)), [], [3]]
    batch = encode_genotypes(graph, genotypes, np.zeros((4, 1), dtype=np.float32))
    config = Model(width_min=2, width_ratio=0.01, norm="layer")
    assert_equivalent(graph, config, batch, "native")
