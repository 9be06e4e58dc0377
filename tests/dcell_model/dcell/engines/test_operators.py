"""The operators keep torch's rules: opcheck, gradcheck, and torch.compile without graph breaks."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
import torch._dynamo.testing

from data_specs.parameters.sections import Model as ModelConfig
from dcell_model.data.dataset import MutantStateBatch, encode_genotypes
from dcell_model.dcell.columns import Columns, sum_over_columns
from dcell_model.dcell.engines import native_pass, torch_pass
from dcell_model.dcell.engines.touched import touch
from dcell_model.dcell.engines.weights import Weights
from dcell_model.dcell.loss import dcell_loss
from dcell_model.dcell.model import DCell
from tests.engines import WAYS, running
from tests.hierarchies import random_cell_graph

GRAPH = random_cell_graph(3, terms=7, genes=6)
GENOTYPES = [[], [0], [1, 2], [1, 2], [5], [3, 4], [0, 3]]
CONFIGS = [
    ModelConfig(width_min=2),
    ModelConfig(width_min=2, norm_order="norm_act", norm="layer", activation="gelu"),
    ModelConfig(width_min=2, layers=2, gene_input="disruption"),
]


def model_of(config: ModelConfig, **options: Any) -> DCell:
    torch.manual_seed(0)
    model = DCell(GRAPH, config, **options).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def operands(model: DCell, batch: MutantStateBatch) -> list[torch.Tensor]:
    return [
        t.detach().clone().requires_grad_(i < 9) for i, t in enumerate(Weights.of(model).to_list())
    ]


def torch_arguments(model: DCell, batch: MutantStateBatch) -> tuple[Any, ...]:
    touched = touch(
        batch.term, batch.gene, batch.sample, batch.deleted_sample, batch.deleted_gene,
        len(batch), model.layout.handle,
    )  # fmt: skip
    settings = len(batch), len(batch), model.layout.handle, True, torch.float64
    return operands(model, batch), touched, torch.empty(0, dtype=torch.float64), *settings


def native_arguments(model: DCell, batch: MutantStateBatch) -> tuple[Any, ...]:
    layout = model.layout.handle
    columns = native_pass.columns_operator(
        batch.deleted_sample, batch.deleted_gene, len(batch), layout
    )
    known = torch.empty(0, dtype=torch.float64)
    return operands(model, batch), columns, known, len(batch), layout, True, False


# The operator of every way, its arguments, and how many of its results are differentiable.
OPERATORS = {
    "native": (native_pass.forward_operator, native_arguments, 2),
    "torch": (torch_pass._forward, torch_arguments, 2),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("config", CONFIGS)
def test_opcheck(way: str, config: ModelConfig) -> None:
    model, batch = model_of(config), encode_genotypes(GRAPH, GENOTYPES)
    operator, arguments, _ = OPERATORS[way]
    with running(way), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # opcheck's own use of deprecated functions
        torch.library.opcheck(operator, arguments(model, batch))


def test_opcheck_of_what_a_batch_touches() -> None:
    model, batch = model_of(CONFIGS[0]), encode_genotypes(GRAPH, GENOTYPES)
    rest = batch.deleted_sample, batch.deleted_gene, len(batch), model.layout.handle
    values = torch.randn(len(batch), 2)
    with running("native"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.library.opcheck(touch, (batch.term, batch.gene, batch.sample, *rest))
        torch.library.opcheck(native_pass.columns_operator, rest)
        columns = Columns(*native_pass.columns_operator(*rest))
        entries = columns.entry_sample, columns.entry_column, len(columns.count)
        torch.library.opcheck(sum_over_columns, (values, *entries))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("config", CONFIGS)
def test_gradcheck(way: str, config: ModelConfig) -> None:
    model, batch = model_of(config), encode_genotypes(GRAPH, GENOTYPES)
    operator, arguments, outputs = OPERATORS[way]

    def heads(*tensors: torch.Tensor) -> Any:
        return tuple(operator(list(tensors), *arguments(model, batch)[1:])[:outputs])

    with running(way):
        tensors = operands(model, batch)
        assert torch.autograd.gradcheck(heads, tensors, fast_mode=False)


@pytest.mark.parametrize("way", WAYS)
def test_compiles_whole_and_never_again_for_a_smaller_batch(way: str) -> None:
    with running(way) as engine:
        compile_and_compare(engine)


def compile_and_compare(engine: str) -> None:
    torch._dynamo.reset()
    model = model_of(CONFIGS[0], engine=engine).train()
    plain = model_of(CONFIGS[0], engine=engine).train()
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")

    def loss_of(network: DCell, batch: MutantStateBatch) -> torch.Tensor:
        return dcell_loss(network(batch, dense=False), batch.phenotypes.double(), network)

    compiled = torch.compile(loss_of, backend=counter, fullgraph=True)
    random = np.random.default_rng(0)
    compilations = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the compiler's, on Python 3.11
        for samples in (9, 8, 8, 5, 9, 3):
            genotypes = [
                random.choice(6, size=random.integers(1, 4), replace=False).tolist()
                for _ in range(samples)
            ]
            targets = random.normal(size=(samples, 1)).astype(np.float32)
            batch = encode_genotypes(GRAPH, genotypes, targets)
            losses = [compiled(model, batch), loss_of(plain, batch)]
            for loss in losses:
                loss.backward()
            torch.testing.assert_close(losses[0], losses[1], rtol=1e-9, atol=1e-12)
            compilations.append(counter.frame_count)
    for parameter, expected in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, expected.grad, rtol=1e-9, atol=1e-9)
    for buffer, expected in zip(model.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(buffer, expected)
    assert compilations[0] == 1
    assert compilations[1:] == [compilations[1]] * 5, "compiled again after the second batch"


def test_bf16_products_keep_float32_statistics() -> None:
    batch = encode_genotypes(GRAPH, GENOTYPES)
    model = DCell(GRAPH, ModelConfig(width_min=4)).train()
    exact = model(batch)
    running = model.running_mean.clone()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model(batch)
    assert rounded.dtype == model.running_mean.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    torch.testing.assert_close(exact, rounded, rtol=0.1, atol=0.1)
    assert not torch.equal(running, model.running_mean)
    rounded.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
