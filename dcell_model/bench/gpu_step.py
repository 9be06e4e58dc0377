"""Times training of one setting as a training loop does it, and looks into some of its steps.

Batches come from the loader, planned ahead of their passes, and nothing waits for the device but
the end. Run in a process of its own by `bench.gpu`.
"""

import itertools
import json
import math
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_specs.errors import exit_with_message
from dcell_model.bench.published import PUBLISHED
from dcell_model.bench.step import PHASES, Step, network_of
from dcell_model.data import EpochBatches, MutantStateBatch, MutantStateDataset, TrainingBatches
from dcell_model.dcell import DCell, dcell_loss
from dcell_model.dcell.engines import WorkPlan, work_plan
from dcell_model.machine import keep_freed_memory, threads_for

WARM_UP = 4  # steps: the first launches compile kernels, the second of a shape are recorded
LOOKED_INTO = 3  # steps that are profiled


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuStep:
    """One setting.

    Attributes:
        data: folder of a build.
        engine: `reference`, `incremental`, `torch` for the latter's fallback, or a published one.
        batch_size: samples a step.
        precision: `fp32`, `tf32` or `bf16`, of matrix products.
        graphs: whether launches may be recorded.
        seconds: how long to train, after warming up; three steps at least.
        device: `cpu` or `cuda`.
    """

    data: str
    engine: str
    batch_size: int
    precision: str = "fp32"
    graphs: bool = True
    seconds: float = 4.0
    device: str = "cuda"


def measure(setting: GpuStep) -> dict[str, Any]:
    """Train with random batches, all auxiliary losses and AdamW.

    Returns:
        Samples a second of the loop, loader and all; milliseconds of each phase where the device
        is waited for; peak memory; launches, and how busy kernels kept the device; the error of
        the gradient against float64.
    """
    keep_freed_memory()
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high" if setting.precision == "tf32" else "highest")
    device = torch.device(setting.device)
    dataset = MutantStateDataset(Path(setting.data) / "store")
    dataset.phenotypes = dataset.phenotypes[:1]
    step = Step(data=setting.data, engine=setting.engine, batch_size=setting.batch_size,
                device=setting.device)  # fmt: skip
    loss_of, after_backward, network = network_of(step, dataset, device)
    optimiser = torch.optim.AdamW(network.parameters(), fused=True)
    half = torch.autocast(device.type, torch.bfloat16, enabled=setting.precision == "bf16")
    order = EpochBatches(np.arange(len(dataset)), min(setting.batch_size, len(dataset)))
    some = dataset.batch(next(iter(order)))
    plan = WorkPlan("published", math.inf)  # on all threads
    if isinstance(network, DCell):
        with half:
            plan = work_plan(network, some.to(device))

    def train(batch: MutantStateBatch, wait: bool = False) -> list[float]:
        def now() -> float:
            if wait:
                _synchronize(device)
            return time.perf_counter()

        batch.phenotypes = torch.nan_to_num(batch.phenotypes)
        optimiser.zero_grad()
        times = [now()]
        with half:
            loss = loss_of(batch)
        times.append(now())
        loss.backward()
        after_backward()
        times.append(now())
        optimiser.step()
        times.append(now())
        return [b - a for a, b in itertools.pairwise(times)]

    with threads_for(plan.product):
        batches = _endless(TrainingBatches(dataset, order, device, 0, plan.ahead, plan.threads))
        for _ in range(WARM_UP):
            train(next(batches))
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        _synchronize(device)
        samples, steps, start = 0, 0, time.perf_counter()
        while steps < 3 or time.perf_counter() - start < setting.seconds:
            batch = next(batches)
            train(batch)
            samples, steps = samples + len(batch), steps + 1
        _synchronize(device)
        rate = samples / (time.perf_counter() - start)
        phases = np.array([train(next(batches), wait=True) for _ in range(min(steps, 10))]) * 1e3
        result: dict[str, Any] = {
            "engine_pass": plan.engine_pass,
            "threads_that_plan": plan.threads if plan.ahead else 0,
            "samples_per_second": round(rate, 1),
            "steps": steps,
            **{f"{name}_ms": round(float(np.median(phases[:, phase])), 3)
               for phase, name in enumerate(PHASES)},
            "profile": _profile(lambda: train(next(batches)), device),
        }  # fmt: skip
    if device.type == "cuda":
        result["peak_memory_mib"] = round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    if isinstance(network, DCell):
        with half:
            result["gradient_error"] = gradient_error(network, some, device)
    return result


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _endless(batches: TrainingBatches) -> Iterator[MutantStateBatch]:
    for epoch in itertools.count():
        batches.order.begin(epoch)
        yield from batches


def gradient_error(model: DCell, some: MutantStateBatch, device: torch.device) -> float:
    """‖g − g64‖ / ‖g64‖ of the child weights, against float64 on the CPU."""
    exact = DCell(model.graph, model.config).double()
    exact.load_state_dict({name: value.cpu() for name, value in model.state_dict().items()})

    def gradient(of: DCell, batch: MutantStateBatch) -> torch.Tensor:
        batch.phenotypes = torch.nan_to_num(batch.phenotypes)
        of.zero_grad()
        heads = of(batch, dense=False)
        heads = heads if of is exact else heads.float()
        dcell_loss(heads, batch.phenotypes.to(of.bias.dtype), of).backward()
        assert of.child_weight.grad is not None
        return of.child_weight.grad.double().cpu()

    found = gradient(model, some.to(device))
    with torch.autocast(device.type, enabled=False):
        true = gradient(exact.train(), some)
    return float((found - true).norm() / true.norm())


def _profile(step: Any, device: torch.device) -> dict[str, Any]:
    """Launches, copies and time in kernels of a step, from torch's profiler."""
    from torch.profiler import ProfilerActivity, profile

    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    _synchronize(device)
    with profile(activities=activities) as profiler:
        for _ in range(LOOKED_INTO):
            step()
        _synchronize(device)
    on_device, calls = [], Counter[str]()
    for event in profiler.events():
        if str(event.device_type).endswith("CUDA"):
            if getattr(event, "is_user_annotation", False):  # a span, nothing that runs
                continue
            on_device.append((event.name, event.time_range.start, event.time_range.end))
        elif event.name.startswith(("cudaLaunch", "cuLaunch", "cudaGraphLaunch", "cudaMemcpy")):
            calls[event.name] += 1
    return summary_of(on_device, calls)


def summary_of(
    on_device: Sequence[tuple[str, float, float]], calls: Counter[str]
) -> dict[str, Any]:
    """What a profile says of a step.

    Args:
        on_device: name, start and end in µs of all that ran on the device.
        calls: how often functions that launch or copy were called.
    """
    kernels = [event for event in on_device if not event[0].startswith(("Memcpy", "Memset"))]
    spent = Counter[str]()
    for name, start, end in kernels:
        spent[name] += end - start  # type: ignore[assignment]
    begin = min((start for _, start, _ in on_device), default=0.0)
    window = max((end for _, _, end in on_device), default=0.0) - begin
    share = _covered([event[1:] for event in kernels]) / window if window else None
    return {
        "kernels": round(len(kernels) / LOOKED_INTO, 1),
        "copies": round((len(on_device) - len(kernels)) / LOOKED_INTO, 1),
        "kernels_busy": share,
        "calls": {name: round(count / LOOKED_INTO, 1) for name, count in sorted(calls.items())},
        "longest_ms": {name[:80]: round(time / LOOKED_INTO / 1e3, 4)
                       for name, time in spent.most_common(12)},
    }  # fmt: skip


def _covered(spans: Sequence[tuple[float, float]]) -> float:
    """The length of the union of spans."""
    total, reached = 0.0, -np.inf
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return float(total)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with exit_with_message():
        given = GpuStep(**json.loads(sys.argv[1]))
        assert given.engine in (*PUBLISHED, "reference", "incremental", "torch"), given.engine
        print(json.dumps(measure(given)))
