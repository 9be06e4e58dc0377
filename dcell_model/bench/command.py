"""The measurements of `dcell bench`, their order, and the record.

Every timing comes from a process of its own. Before each the same matrix product and the same copy
are timed ("yardstick"): where these drift, so did the machine.
"""

import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from data_specs.errors import InputError
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.outputs import refuse_no_folder, refuse_part_of
from data_specs.own_entries import refuse_in_the_way
from dcell_model.bench import loader, step
from dcell_model.bench.published import PUBLISHED
from dcell_model.bench.step import Step
from dcell_model.machine import commit, hardware, versions
from dcell_model.written_folders import refuse_file

# Engines whose step is profiled: term by term, and the fast ones.
PROFILED = ("reference", "torch", "incremental")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The size of a benchmark.

    Attributes:
        simulate: parameters of the simulated data, as assignments.
        batch_sizes: of the fast engines, by widths.
        precisions: of the fast engines.
        per_term: batch sizes of `reference` with direct widths.
        published: whether published implementations run beside, at the first of these sizes.
        profiled: batch size at which a step of the fast engines is profiled.
        samples: sizes of store for cost against work; none omits it.
        seconds: how long each setting is measured.
        engines: the fast ones, see `Step`.
    """

    simulate: tuple[str, ...]
    batch_sizes: dict[str, tuple[int, ...]]
    precisions: tuple[str, ...]
    per_term: tuple[int, ...]
    published: bool
    profiled: int
    samples: tuple[int, ...]
    seconds: float
    engines: tuple[str, ...] = ("torch", "incremental")


def at_scale(triples: int) -> tuple[str, ...]:
    """Assignments for a simulated screen of so many triples on a cell of yeast's size."""
    queries = -(-triples // 530) + 1
    return (
        "simulate.terms=4000", "simulate.genes=6000", "simulate.annotations=70000",
        f"simulate.queries={queries}", "simulate.arrays=530", f"simulate.triples={triples}",
    )  # fmt: skip


FULL = Plan(
    simulate=at_scale(91_000),
    batch_sizes={"direct": (64, 256, 1024, 4096), "contained": (64, 256)},
    precisions=("fp32", "bf16"),
    per_term=(64, 256, 1024, 4096),
    published=True,
    profiled=1024,
    samples=(10_000, 100_000, 1_000_000),
    seconds=8,
)
QUICK = Plan(
    simulate=at_scale(10_000),
    batch_sizes={"direct": (256, 1024)},
    precisions=("fp32",),
    per_term=(64,),
    published=False,
    profiled=1024,
    samples=(),
    seconds=3,
)
ENGINES = replace(
    QUICK, simulate=at_scale(91_000), batch_sizes={"direct": (256, 1024, 4096)}, seconds=6
)
TINY = Plan(
    simulate=("simulate.triples=300", "simulate.queries=10", "simulate.arrays=60"),
    batch_sizes={"direct": (8,)},
    precisions=("bf16",),
    per_term=(8,),
    published=True,
    profiled=8,
    samples=(200,),
    seconds=0,
)
PLANS = {"full": FULL, "quick": QUICK, "engines": ENGINES, "tiny": TINY}


def run(
    plan: Plan,
    out: Path,
    *,
    data: Path | None = None,
    device: str = "cpu",
    profiles: Path | None = None,
    command: Sequence[str] = (),
    show: Callable[[str], None] = lambda line: print(line, flush=True),
) -> dict[str, Any]:
    """Measure everything of a plan and write the record.

    Args:
        plan: the measurements.
        out: JSON file to write.
        data: folder of a build; by default data are simulated and built, which is measured too.
        device: `cpu` or `cuda`.
        profiles: folder for a table of operators of one step of each engine, if wanted.
        command: how the benchmark was called, for the record.
        show: called with a line about each measurement.

    Raises:
        InputError: `data` is no build, or no CUDA device is visible.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("bench --device cuda: no CUDA device is visible; use cpu")
    refuse_file(out, suffix=".json", kind="record")
    if data is not None:
        refuse_part_of(out, data, DataLayout(data).own_of_all(), "build")
    if profiles is not None and refuse_no_folder(profiles).is_dir():
        refuse_in_the_way(profiles, [f"{engine}-{device}.txt" for engine in PROFILED])
    record: dict[str, Any] = provenance(command) | {
        "gpu": "measured" if device == "cuda" else "not measured: no GPU in this run",
    }
    with tempfile.TemporaryDirectory(prefix="dcell-bench-") as folder:
        if data is None:
            simulated = Path(folder) / "data"
            data, record["store_build"] = build_simulated(simulated, plan.simulate, show)
        ledger = read_json(DataLayout(data).ledger)
        record["data"] = {"path": "simulated" if folder in str(data) else str(data),
                          "store": ledger["store"]}  # fmt: skip
        record["steps"] = []
        for setting in _settings(plan, data, device, profiles):
            row = {**asdict(setting), "yardstick_ms": _yardstick()} | step.run(setting)
            del row["data"], row["profile"]
            record["steps"].append(row)
            show(f"{_name(row):<40} {_rate(row)}")
        record["loader"] = loader.run(data)
        for row in record["loader"]:
            show(f"loader, {row['how']:<32} {row['samples_per_second']['median']:>12,.0f}/s")
        record["cost_against_work"] = [
            _cost(Path(folder) / f"work-{samples}", samples, plan, device, show)
            for samples in plan.samples
        ]
    write_json(out, record)
    return record


def _settings(plan: Plan, data: Path, device: str, profiles: Path | None) -> list[Step]:
    common: dict[str, Any] = {"data": str(data), "seconds": plan.seconds, "device": device}
    published = PUBLISHED if plan.published else ()
    settings = [Step(engine="reference", batch_size=size, **common) for size in plan.per_term]
    settings += [Step(engine=name, batch_size=plan.per_term[0], **common) for name in published]
    settings += [
        Step(engine=engine, batch_size=size, widths=widths, precision=precision, **common)
        for widths, sizes in plan.batch_sizes.items()
        for precision in plan.precisions
        for size in sizes
        for engine in plan.engines
    ]
    if profiles is None:
        return settings
    profiles.mkdir(parents=True, exist_ok=True)
    profiled = {PROFILED[0]: plan.per_term[0]} | dict.fromkeys(PROFILED[1:], plan.profiled)
    return [
        replace(setting, profile=str(profiles / f"{setting.engine}-{device}.txt"))
        if (setting.batch_size, setting.widths) == (profiled.get(setting.engine), "direct")
        and setting.precision in ("fp32", *plan.precisions[:1])
        else setting
        for setting in settings
    ]


def build_simulated(
    folder: Path, simulate: Sequence[str], show: Callable[[str], None]
) -> tuple[Path, dict[str, Any]]:
    """Simulate raw files, then build them, with the pipeline's own command; time the second."""
    raw, out = folder.parent / f"{folder.name}-raw", folder
    pipeline = [sys.executable, "-m", "pipeline.cli"]
    simulated = _timed([*pipeline, "simulate", "--out", str(raw), "--set", *simulate])
    built = _timed([
        *pipeline, "build", "--ontology", str(raw / "ontology.obo"),
        "--annotations", str(raw / "annotations.gaf"),
        "--genotypes", str(raw / "genotypes.tsv"), "--preset", "torchcell",
        "--set", "sources.profile=yeast", "--out", str(out),
    ])  # fmt: skip
    store = read_json(DataLayout(out).ledger)["store"]
    row = {
        "samples": store["samples"],
        "bytes_per_sample": store["bytes_per_sample"],
        "simulate_seconds": simulated["seconds"],
        **built,
        "microseconds_per_sample": round(built["seconds"] / store["samples"] * 1e6, 1),
    }
    show(f"store build, {store['samples']:,} samples: {built['seconds']:.1f} s, "
         f"{store['bytes_per_sample']:.0f} bytes a sample")  # fmt: skip
    return out, row


def _timed(command: list[str]) -> dict[str, float]:
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr is not None
    with child.stderr as stderr:
        message = stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise InputError(f"{' '.join(command[1:4])} failed: {message.strip()[-300:]}")
    return {
        "seconds": round(time.perf_counter() - start, 2),
        "peak_memory_mib": round(usage.ru_maxrss / 1024, 1),
    }


def _cost(
    folder: Path, samples: int, plan: Plan, device: str, show: Callable[[str], None]
) -> dict[str, Any]:
    """Build and train on so many samples, a fifth of them doubles: is a sample's cost flat?"""
    tiny = plan is TINY
    simulate = plan.simulate if tiny else at_scale(samples * 4 // 5)
    data, build = build_simulated(folder, simulate, show)
    setting = Step(
        data=str(data), engine="incremental", batch_size=8 if tiny else 1024,
        seconds=plan.seconds, device=device,
    )  # fmt: skip
    row = step.run(setting)
    (gathered,) = loader.run(data, [loader.GATHERED])
    return {"samples": build["samples"], "build": build, "yardstick_ms": _yardstick(),
            "incremental": row, "loader": gathered}  # fmt: skip


def provenance(command: Sequence[str]) -> dict[str, Any]:
    """The provenance of a record: command, time, commit, hardware, versions."""
    return {
        "command": " ".join(command),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "hardware": hardware(),
        "versions": versions(),
    }


def _yardstick() -> dict[str, float]:
    """Milliseconds of a matrix product of 1,024³ and of a copy of 64 MiB; median of five."""
    a, b = torch.randn(1024, 1024), torch.empty(1 << 24)
    c = torch.ones(1 << 24)
    result = {}
    for name, work in (("product", lambda: a @ a), ("copy", lambda: b.copy_(c))):
        times = []
        for _ in range(6):
            start = time.perf_counter()
            work()
            times.append((time.perf_counter() - start) * 1e3)
        result[name] = round(sorted(times[1:])[2], 2)
    return result


def _name(row: dict[str, Any]) -> str:
    return f"{row['engine']}, {row['widths']}, {row['precision']}, batch {row['batch_size']:,}"


def _rate(row: dict[str, Any]) -> str:
    if "failed" in row:
        return f"not measured: {row['failed'][:60]}"
    return f"{row['samples_per_second']['median']:>12,.1f}/s"


def load(path: Path) -> dict[str, Any]:
    """A record from its file."""
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record
