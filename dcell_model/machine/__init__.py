"""The machine: devices, processes, memory, threads, progress on the terminal, provenance."""

from dcell_model.machine.fabric import (
    fabric_of,
    restore_scaler,
    scaler_state,
    sums_over_processes,
)
from dcell_model.machine.memory import keep_freed_memory, return_freed_memory
from dcell_model.machine.progress import LIVE, Progress, duration, live_metrics, progress
from dcell_model.machine.provenance import commit, hardware, versions
from dcell_model.machine.threads import one_thread, threads, threads_for

__all__ = [
    "LIVE",
    "Progress",
    "commit",
    "duration",
    "fabric_of",
    "hardware",
    "keep_freed_memory",
    "live_metrics",
    "one_thread",
    "progress",
    "restore_scaler",
    "return_freed_memory",
    "scaler_state",
    "sums_over_processes",
    "threads",
    "threads_for",
    "versions",
]
