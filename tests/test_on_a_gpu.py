"""On a CUDA device: engines against `reference`, and training of all models (`make gpu`)."""

from pathlib import Path
from typing import Any

import pytest
import torch

from data_specs.parameters import Model, resolve
from dcell_model import train
from dcell_model.data.dataset import MutantStateBatch
from dcell_model.dcell import DCell, dcell_loss
from dcell_model.dcell.engines import columns_pass, torch_pass, work_plan
from dcell_model.dcell.native import load
from tests.dcell_model.dcell.engines.test_equivalence import GENOTYPES, batch_of
from tests.hierarchies import random_cell_graph
from tests.two_processes import train_on_two

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
DEVICE = "cuda"
GRAPH = random_cell_graph(1)
# Each gene once, so that no term has a variance of rounding alone.
DISTINCT = [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11], [12, 13]]


def drawn(config: Model, dtype: torch.dtype, **options: Any) -> DCell:
    torch.manual_seed(3)
    model = DCell(GRAPH, config, **options)
    with torch.no_grad():  # no gradient may hide behind a zero or a one
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model.to(dtype)


def results(model: DCell, batch: MutantStateBatch) -> dict[str, torch.Tensor]:
    """Heads, loss, gradients and running statistics of one batch, on the CPU in float64."""
    model.zero_grad()
    heads = model(batch)
    loss = dcell_loss(heads.float() if model.bias.dtype == torch.float32 else heads,
                      batch.phenotypes.to(model.bias.dtype), model, l2=1e-3)  # fmt: skip
    loss.backward()
    found = {"heads": heads, "loss": loss, **dict(model.named_buffers())}
    found |= {f"gradient of {name}": p.grad for name, p in model.named_parameters()}
    return {name: value.detach().double().cpu() for name, value in found.items()
            if value is not None and value.is_floating_point()}  # fmt: skip


def assert_close(
    found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], t: float
) -> None:
    largest = max(float(v.abs().max()) for k, v in expected.items() if k.startswith("gradient"))
    for name, value in expected.items():
        # A bias in front of batch norm has gradient zero: its neighbours measure its rounding.
        floor = 1e-2 * largest if name.startswith("gradient") else 1e-12
        scale = max(floor, float(value.abs().max()))
        torch.testing.assert_close(
            found[name], value, rtol=t, atol=t * scale, msg=lambda m, name=name: f"{name}: {m}"
        )


@pytest.mark.parametrize(
    "config",
    [Model(width_min=3, norm_order=order, activation=activation, norm=norm, layers=layers)
     for order in ("act_norm", "norm_act")
     for activation, norm, layers in [
         ("tanh", "batch", 1), ("relu", "batch", 1), ("gelu", "none", 1), ("tanh", "layer", 2),
     ]],
)  # fmt: skip
@pytest.mark.parametrize("training", [True, False])
def test_engines_agree_in_double_precision(config: Model, training: bool) -> None:
    """Several rounds: the first launches one by one, the second records, later ones replay."""
    batch = batch_of(GRAPH, GENOTYPES)
    for _ in range(4):
        expected = results(drawn(config, torch.float64, engine="reference").train(training), batch)
        model = drawn(config, torch.float64).train(training).to(DEVICE)
        assert columns_pass.suits(model, batch) == (config.norm != "layer" and load() is not None)
        assert_close(results(model, batch.to(DEVICE)), expected, 1e-9)
        model = drawn(config, torch.float64, engine="reference").train(training).to(DEVICE)
        assert_close(results(model, batch.to(DEVICE)), expected, 1e-9)


def test_one_model_is_replayed_while_it_learns() -> None:
    """Weights, batches and running statistics change between replays of one recording."""
    runs = []
    for engine, device in (("incremental", DEVICE), ("reference", "cpu")):
        model = drawn(Model(width_min=3), torch.float64, engine=engine).train().to(device)
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
        for step in range(12):
            genotypes = [[(g + step) % 14 for g in genotype] for genotype in DISTINCT]
            batch = batch_of(GRAPH, genotypes).to(device)
            optimiser.zero_grad()
            heads = model(batch, dense=False)
            dcell_loss(heads, batch.phenotypes.double(), model).backward()
            optimiser.step()
        runs.append({name: value.cpu() for name, value in model.state_dict().items()})
    for name, value in runs[1].items():
        torch.testing.assert_close(runs[0][name], value, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("precision", "tolerance"),
    [("fp32", 1e-3), ("tf32", 0.1), ("bf16", 0.5), ("fp16", 0.1)],
)
def test_precisions(precision: str, tolerance: float) -> None:
    """The gradient of all child weights against float64, relative to its length."""
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    batch, config = batch_of(GRAPH, DISTINCT), Model(width_min=20, norm_order="norm_act")
    name = "gradient of child_weight"
    expected = results(drawn(config, torch.float64, engine="reference").train(), batch)[name]
    model = drawn(config, torch.float32).train().to(DEVICE)
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        with torch.autocast(DEVICE, half or torch.bfloat16, enabled=half is not None):
            found = results(model, batch.to(DEVICE))[name]
    finally:
        torch.set_float32_matmul_precision("highest")
    assert float((found - expected).norm() / expected.norm()) < tolerance


def test_the_fallback_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, config = batch_of(GRAPH, GENOTYPES), Model(width_min=3)
    expected = results(drawn(config, torch.float64, engine="reference").train(), batch)
    monkeypatch.setattr(columns_pass, "suits", lambda model, batch: False)
    model = drawn(config, torch.float64).train().to(DEVICE)
    assert work_plan(model, batch.to(DEVICE)).engine_pass == "in torch"
    assert_close(results(model, batch.to(DEVICE)), expected, 1e-9)
    assert torch_pass.forward(model, batch.to(DEVICE)).wild_type.device.type == DEVICE


def settings(model: str, precision: str, device: str, **changes: Any) -> Any:
    given = {"model": model, "precision": precision, "device": device, "epochs": 3,
             "batch_size": 32, "patience": None, **changes}  # fmt: skip
    small = {"width": 16, "heads": 2}
    return resolve({
        "train": given, "model": {"width_min": 4}, "dango": {**small, "pretrain_steps": 5},
        "multigraph": small,
    })  # fmt: skip


@pytest.mark.parametrize("model", ["dcell", "dango", "multigraph"])
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
def test_models_train(simulated_build: Path, tmp_path: Path, model: str, precision: str) -> None:
    """Nearly as on the CPU, from the same seed; a stopped run goes on from its checkpoint."""
    record = train.run(simulated_build, tmp_path / "gpu", settings(model, precision, DEVICE))
    assert record["device"].startswith(DEVICE)
    losses = [row["train_loss"] for row in record["history"]]
    on_cpu = train.run(simulated_build, tmp_path / "cpu", settings(model, "fp32", "cpu"))
    expected = [row["train_loss"] for row in on_cpu["history"]]
    assert losses[0] == pytest.approx(expected[0], rel=0.01 if precision == "fp32" else 0.1)
    more = settings(model, precision, DEVICE, epochs=4)
    again = train.run(simulated_build, tmp_path / "gpu", more, resume=True)
    assert [row["train_loss"] for row in again["history"]][:3] == losses


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_two_gpus(simulated_build: Path, tmp_path: Path, precision: str) -> None:
    """`torchrun` with NCCL: batches of one process that would see all, and shared statistics."""
    if torch.cuda.device_count() < 2:
        pytest.skip("there is one CUDA device")
    one = settings("dcell", precision, DEVICE, batch_size=32)
    two = settings("dcell", precision, DEVICE, batch_size=16, sync_batchnorm=True)
    alone = train.run(simulated_build, tmp_path / "one", one)
    together = train_on_two(simulated_build, tmp_path / "two", two, torchrun=True)
    expected = [row["train_loss"] for row in alone["history"]]
    found = [row["train_loss"] for row in together["history"]]
    assert found == pytest.approx(expected, rel=0.01 if precision == "fp32" else 0.1)
