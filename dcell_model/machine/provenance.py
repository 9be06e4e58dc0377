"""Where a number comes from: the machine, the versions, the commit."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

PACKAGES = (
    "torch", "torch-geometric", "numpy", "polars", "pyarrow", "lmdb", "scikit-learn",
    "lightning-fabric", "triton", "cellmaps_vnn",
)  # fmt: skip


def hardware() -> dict[str, Any]:
    """Processor, cores, threads in use, memory, and the GPU if there is one."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"cpu": cpu, "cores": os.cpu_count(), "threads": torch.get_num_threads(),
            "memory_gib": round(memory), "gpu": gpu}  # fmt: skip


def record() -> dict[str, Any]:
    """Commit, machine and versions, as records hold them."""
    return {"commit": commit(), "hardware": hardware(), "versions": versions()}


def versions() -> dict[str, str]:
    """Of Python and of the packages on which numbers depend."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def commit() -> str:
    """The commit, with a plus sign where files have changed since."""
    here = Path(__file__).parent
    try:
        ask = ["git", "-C", str(here), "describe", "--always", "--dirty=+", "--abbrev=40"]
        return subprocess.check_output(ask, text=True, stderr=subprocess.DEVNULL).strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown: not a git checkout"
