"""Times training steps of one setting, in a process of its own, so that its memory is its own."""

import itertools
import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data_specs.errors import exit_with_message
from data_specs.files import write_text
from data_specs.parameters import Model as ModelConfig
from dcell_model.bench.process import MeasurementError, measured
from dcell_model.bench.published import PUBLISHED
from dcell_model.data import MutantStateBatch, MutantStateDataset, sizes_of
from dcell_model.dcell import DCell, SubsystemLayout, dcell_loss
from dcell_model.dcell.native import VARIABLE
from dcell_model.machine import keep_freed_memory, return_freed_memory

PHASES = ("forward", "backward", "optimiser")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One setting.

    Attributes:
        data: folder of a build.
        engine: an engine of this project, `torch` for `incremental` without the native pass, or a
            name of `PUBLISHED`.
        batch_size: samples a step.
        widths: `direct` or `contained`.
        precision: `fp32` or `bf16`.
        seconds: how long to measure, after warming up; three steps at least, forty at most.
        device: `cpu` or `cuda`.
        profile: where to write a table of the operators of one step, if anywhere.
    """

    data: str
    engine: str
    batch_size: int
    widths: str = "direct"
    precision: str = "fp32"
    seconds: float = 5.0
    device: str = "cpu"
    profile: str | None = None


def measure(setting: Step) -> dict[str, Any]:
    """Time steps of one setting: random batches, all auxiliary losses, AdamW.

    Returns:
        Median and 20th and 80th percentile of the milliseconds of every phase and of
        samples/s; peak memory in MiB of the process, and of a step alone.
    """
    keep_freed_memory()
    torch.manual_seed(0)
    device = torch.device(setting.device)
    dataset = MutantStateDataset(Path(setting.data) / "store")
    dataset.phenotypes = dataset.phenotypes[:1]
    loss_of, after_backward, network = network_of(setting, dataset, device)
    optimiser = torch.optim.AdamW(network.parameters(), fused=True)
    random = np.random.default_rng(0)

    def batch(size: int) -> MutantStateBatch:
        some = dataset.batch(random.choice(len(dataset), size, replace=size > len(dataset)))
        some.phenotypes = torch.nan_to_num(some.phenotypes)
        return some.to(device)

    def step(some: MutantStateBatch) -> list[float]:
        times = [_now(device)]
        optimiser.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=setting.precision == "bf16"):
            loss = loss_of(some)
        times.append(_now(device))
        loss.backward()
        after_backward()
        times.append(_now(device))
        optimiser.step()
        times.append(_now(device))
        return [b - a for a, b in itertools.pairwise(times)]

    step(batch(2))
    resting = _resting_memory(device)
    step(batch(setting.batch_size))
    rows: list[list[float]] = []
    start = time.perf_counter()
    while len(rows) < 3 or (len(rows) < 40 and time.perf_counter() - start < setting.seconds):
        rows.append(step(batch(setting.batch_size)))
    peak = _peak_memory(device)
    phases = np.array(rows)
    result: dict[str, Any] = {
        name: _percentiles(phases[:, phase] * 1e3) for phase, name in enumerate(PHASES)
    }
    result |= {
        "samples_per_second": _percentiles(setting.batch_size / phases.sum(axis=1)),
        "steps": len(rows),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "peak_memory_mib": round(peak, 1),
        "step_memory_mib": round(peak - resting, 1),
        "kernel_launches": _kernel_launches(lambda: step(batch(setting.batch_size)), device),
    }
    if setting.profile:
        _write_profile(lambda: step(batch(setting.batch_size)), setting)
    return result


def network_of(
    setting: Step, dataset: MutantStateDataset, device: torch.device
) -> tuple[Callable[[MutantStateBatch], Tensor], Callable[[], None], torch.nn.Module]:
    """The loss of a batch, what is to be done after each backward pass, and the module."""
    config = ModelConfig(width_genes=setting.widths, norm_order="act_norm")  # type: ignore[arg-type]
    if setting.engine not in PUBLISHED:
        engine = "incremental" if setting.engine == "torch" else setting.engine
        model = DCell(dataset.graph, config, engine=engine).to(device).train()

        def loss_of(some: MutantStateBatch) -> Tensor:
            return dcell_loss(model(some, dense=False), some.phenotypes, model)

        return loss_of, lambda: None, model
    layout = SubsystemLayout(dataset.graph, config)
    network = PUBLISHED[setting.engine](layout)
    network.to(device).train()

    def published_loss(some: MutantStateBatch) -> Tensor:
        deleted = torch.zeros(len(some), dataset.graph.num_genes, device=device)
        deleted[some.sample, some.gene] = sizes_of(some.states()[0]).float()
        root, *others = [(head - some.phenotypes).square().mean() for head in network(deleted)]
        return torch.as_tensor(root + 0.3 * torch.stack(others).sum())

    return published_loss, network.mask_gradients, network


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _percentiles(values: Any) -> dict[str, float]:
    low, median, high = np.percentile(values, [20, 50, 80])
    return {"p20": round(low, 3), "median": round(median, 3), "p80": round(high, 3)}


def _status(field: str) -> float:
    """A field of this process's memory in MiB, as Linux counts it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith(field))
    return int(line.split()[1]) / 1024


def _resting_memory(device: torch.device) -> float:
    """Memory before a step, weights and their optimiser's state included; peaks count from now."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device) / 2**20
    return_freed_memory()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def _peak_memory(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return _status("VmHWM")


def _kernel_launches(step: Callable[[], Any], device: torch.device) -> int | None:
    """Kernels that one step launches, counted by the profiler; None where there are none."""
    if device.type != "cuda":
        return None
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        step()
    return sum(int(event.count) for event in profiler.key_averages() if event.device_time_total)


def _write_profile(step: Callable[[], Any], setting: Step) -> None:
    from torch.profiler import ProfilerActivity, profile

    assert setting.profile is not None
    activities = [ProfilerActivity.CPU]
    if setting.device == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiler:
        step()
    events = sorted(profiler.key_averages(), key=lambda e: -e.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    lines = [
        f"One step: {setting.engine}, batch {setting.batch_size}, {setting.widths} widths, "
        f"{setting.precision}, {setting.device}. Times are the operators' own, in ms.",
        "",
        f"{'operator':<44}{'ms':>10}{'share':>8}{'calls':>9}",
    ]
    for event in events[:25]:
        share = event.self_cpu_time_total / total
        lines.append(
            f"{event.key[:43]:<44}{event.self_cpu_time_total / 1e3:>10.1f}"
            f"{share:>8.1%}{event.count:>9,}"
        )
    write_text(Path(setting.profile), "\n".join([*lines, ""]))


def run(setting: Step, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """`measure` in a process of its own; a setting that fails is a row that says why.

    Args:
        setting: the step that is measured.
        environment: variables of the process beside this one's.
    """
    variables = dict(environment or {}) | ({VARIABLE: "off"} if setting.engine == "torch" else {})
    try:
        result: dict[str, Any] = measured(
            "dcell_model.bench.step", [json.dumps(asdict(setting))], variables
        )
    except MeasurementError as error:
        return {"failed": str(error).splitlines()[-1][:200]}
    return result


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with exit_with_message():
        print(json.dumps(measure(Step(**json.loads(sys.argv[1])))))
