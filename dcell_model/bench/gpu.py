"""Checks and measures this project on a GPU, and writes one record; without one, on the CPU.

The tests marked `gpu`, then training steps of every engine and of published schemes beside, on
simulated data of yeast's size and on a build of your own. A setting for which no time is left is a
row that says so. Nothing is fetched.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import torch

from data_specs.command_line import Folder, OutputFolder
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.outputs import refuse_no_folder, refuse_part_of
from data_specs.own_entries import refuse_in_the_way
from dcell_model.bench.command import at_scale, build_simulated, provenance
from dcell_model.bench.gpu_step import GpuStep
from dcell_model.bench.process import MeasurementError, measured
from dcell_model.bench.published import PUBLISHED
from dcell_model.dcell.gpu import VARIABLE as GRAPHS
from dcell_model.dcell.native import VARIABLE as NATIVE
from dcell_model.dcell.native import load, native_build

RECORD, CHECKOUT = "gpu.json", Path(__file__).parents[2]
NO_CARD = "no CUDA device is visible: this is the CPU at a small size, and says nothing of a GPU"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is done.

    Attributes:
        simulate: parameters of the simulated data, as assignments.
        batch_sizes: of `incremental`.
        slow: batch size of `reference` and of published schemes.
        seconds: how long each setting is measured.
        tests: what pytest is given.
        limit: seconds after which nothing more is begun.
    """

    simulate: tuple[str, ...]
    batch_sizes: tuple[int, ...]
    slow: int
    seconds: float
    tests: tuple[str, ...]
    limit: float


LARGE = Size(
    simulate=at_scale(91_000), batch_sizes=(1024, 4096, 16384), slow=256, seconds=4,
    tests=("tests",), limit=440,
)  # fmt: skip
SMALL = Size(
    simulate=("simulate.triples=300", "simulate.queries=10", "simulate.arrays=60"),
    batch_sizes=(64,), slow=8, seconds=0.2, tests=("tests/dcell_model/dcell/gpu",), limit=440,
)  # fmt: skip


def run(
    out: Path,
    size: Size,
    device: str,
    *,
    data: Path | None = None,
    command: Sequence[str] = (),
    show: Callable[[str], None] = lambda line: print(line, flush=True),
) -> dict[str, Any]:
    """Check and measure everything, and write `gpu.json` into `out`.

    Args:
        out: folder to write.
        size: how much.
        device: `cuda` or `cpu`.
        data: folder of a build that is measured beside the simulated one.
        command: how the program was called, for the record.
        show: called with a line about each part.
    """
    end = time.monotonic() + size.limit
    record = provenance(command) | {"card": card()}
    if device == "cpu":
        record["note"] = NO_CARD
        show(NO_CARD)
    record["native"] = _native()
    record["tests"] = _tests(size.tests, end)
    show(f"tests marked gpu: {record['tests']['passed']} passed, "
         f"{record['tests']['failed']} failed, {record['tests']['skipped']} skipped")  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / RECORD, record)  # whatever happens later
    record["data"] = []
    with tempfile.TemporaryDirectory(prefix="dcell-gpu-") as folder:
        simulated, built = build_simulated(Path(folder) / "data", size.simulate, show)
        record["store_build"] = built
        builds = {"simulated": simulated}
        if data is not None:
            builds[str(data)] = data
        for name, build in builds.items():
            rows: list[dict[str, Any]] = []
            record["data"].append({
                "path": name, "store": read_json(DataLayout(build).ledger)["store"], "steps": rows,
            })  # fmt: skip
            for setting in settings(size, str(build), device, published=name == "simulated"):
                row = {**asdict(setting), **_row(setting, end)}
                del row["data"]
                rows.append(row)
                show(in_words(row))
                write_json(out / RECORD, record)
    show(f"written to {out / RECORD}")
    return record


def card() -> dict[str, Any] | None:
    """The CUDA device: name, memory, compute capability, driver; None without one."""
    if not torch.cuda.is_available():
        return None
    about = torch.cuda.get_device_properties(0)
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        driver = subprocess.check_output(asked, text=True, timeout=20).split()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        driver = "unknown: nvidia-smi does not answer"
    return {
        "name": about.name,
        "memory_gib": round(about.total_memory / 2**30, 1),
        "capability": f"{about.major}.{about.minor}",
        "multiprocessors": about.multi_processor_count,
        "count": torch.cuda.device_count(),
        "driver": driver,
        "cuda": torch.version.cuda,
    }


def settings(size: Size, data: str, device: str, *, published: bool) -> list[GpuStep]:
    """What is measured on a build, what matters most first."""
    common: dict[str, Any] = {"data": data, "device": device, "seconds": size.seconds}
    rows = [
        GpuStep(engine="incremental", batch_size=batch, precision=precision, **common)
        for batch in size.batch_sizes
        for precision in (("fp32", "tf32", "bf16") if device == "cuda" else ("fp32", "bf16"))
    ]
    first = size.batch_sizes[0]
    if device == "cuda":
        rows.append(GpuStep(engine="incremental", batch_size=first, graphs=False, **common))
    rows.append(GpuStep(engine="torch", batch_size=first, **common))
    slow = ("reference", *(PUBLISHED if published else ()))
    return rows + [GpuStep(engine=name, batch_size=size.slow, **common) for name in slow]


def _row(setting: GpuStep, end: float) -> dict[str, Any]:
    """A setting in a process of its own, unless there is no time left."""
    left = end - time.monotonic()
    if left < 5:
        return {"failed": "no time was left"}
    variables = {GRAPHS: "on" if setting.graphs else "off"}
    if setting.engine == "torch":
        variables[NATIVE] = "off"
    try:
        found: dict[str, Any] = measured(
            "dcell_model.bench.gpu_step", [json.dumps(asdict(setting))], variables, left
        )
    except MeasurementError as error:
        return {"failed": str(error).splitlines()[-1][:300]}
    return found


def _native() -> str:
    """Build the native library where it is missing: it finds the columns."""
    if load() is None and os.environ.get(NATIVE) != "off":
        try:
            native_build.build(native_build.HERE)
        except native_build.BuildError as error:
            return f"could not be built: {str(error)[-300:]}"
        load.cache_clear()
    return "not built" if load() is None else "built"


def _tests(given: Sequence[str], end: float) -> dict[str, Any]:
    """Passed, failed and skipped of the tests marked `gpu`, and the names of those that failed."""
    found: dict[str, Any] = {"passed": 0, "failed": 0, "skipped": 0, "failures": []}
    if not (CHECKOUT / "tests").is_dir():
        return found | {"note": "tests are in a checkout only"}
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dcell-gpu-tests-") as folder:
        report = Path(folder) / "tests.xml"
        # pytest-benchmark, where it is there, warns beside xdist.
        call = [sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:benchmark",
                f"--junitxml={report}", *given]  # fmt: skip
        if importlib.util.find_spec("xdist") is not None:
            call += ["-n", str(min(8, os.cpu_count() or 1))]
        try:
            done = subprocess.run(call, cwd=CHECKOUT, capture_output=True, text=True, check=False,
                                  timeout=max(5.0, (end - start) / 2))  # fmt: skip
        except subprocess.TimeoutExpired:
            return found | {"note": "stopped: they took half of the time"}
        if not report.exists():
            return found | {"note": (done.stdout + done.stderr)[-500:]}
        for case in ET.parse(report).getroot().iter("testcase"):
            kinds = {part.tag for part in case}
            kind = "failed" if kinds & {"failure", "error"} else "passed"
            kind = "skipped" if "skipped" in kinds else kind
            found[kind] += 1
            if kind == "failed":
                text = next(part.get("message") or "" for part in case)
                name = f"{case.get('classname')}.{case.get('name')}"
                found["failures"].append(f"{name}: {text[:300]}")
    return found | {"seconds": round(time.monotonic() - start, 1)}


def in_words(row: dict[str, Any]) -> str:
    """A row in one line."""
    graphs = "" if row["graphs"] else ", launch by launch"
    name = f"{row['engine']}, {row['precision']}, batch {row['batch_size']:,}{graphs}"
    if "failed" in row:
        return f"{name:<44} not measured: {row['failed'][:60]}"
    busy = row["profile"]["kernels_busy"]
    end = "" if busy is None else f", kernels busy {busy:.0%}"
    return f"{name:<44} {row['samples_per_second']:>11,.0f}/s{end}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """Check and measure this project on a GPU in under 8 minutes, and write one record.

    Runs the tests marked gpu, times every engine beside published schemes, and looks into a step:
    launches, share of time in kernels, memory. Without a GPU it says so, and does the same on the
    CPU at a small size.

    Examples:
      python -m dcell_model.bench gpu --out results/gpu
    """

    out: Annotated[OutputFolder, "folder to write: gpu.json"]
    data: Annotated[Folder | None, "a build to measure beside simulated data"] = None

    def __call__(self) -> None:
        if refuse_no_folder(self.out).is_dir():
            refuse_in_the_way(self.out, [RECORD])
        if self.data is not None:
            refuse_part_of(
                self.out / RECORD, self.data, DataLayout(self.data).own_of_all(), "build"
            )
        device = "cuda" if torch.cuda.is_available() else "cpu"
        command = ["python", "-m", "dcell_model.bench", *sys.argv[1:]]
        size = LARGE if device == "cuda" else SMALL
        run(self.out, size, device, data=self.data, command=command)
