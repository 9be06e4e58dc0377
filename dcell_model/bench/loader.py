"""Samples a second that the loader gathers, in random batches of 1,024."""

import json
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from data_specs.errors import exit_with_message
from dcell_model.data import MutantStateDataset

BATCH = 1024
GATHERED = "gathered, one thread"
WORKERS = {
    GATHERED: None,
    "DataLoader": (0, None),
    "DataLoader, 2 forked workers": (2, "fork"),
    "DataLoader, 2 spawned workers": (2, "spawn"),
}


def run(data: Path, ways: Iterable[str] = WORKERS) -> list[dict[str, Any]]:
    """Measure ways of loading, each in a process of its own."""
    rows = []
    for how in ways:
        command = [sys.executable, "-m", "dcell_model.bench.loader", str(data), how]
        rows.append(json.loads(subprocess.check_output(command, text=True)))
    return rows


def measure(data: Path, how: str) -> dict[str, Any]:
    """Median and percentiles of seven rounds of 60 batches (fewer where the store is smaller)."""
    torch.set_num_threads(1)
    dataset = MutantStateDataset(data / "store")
    random = np.random.default_rng(0)
    batch = min(BATCH, len(dataset))
    rounds = []
    given = WORKERS[how]
    for _ in range(7):
        order = random.integers(0, len(dataset), 60 * batch)
        if given is None:
            start = time.perf_counter()
            for first in range(0, len(order), batch):
                dataset.batch(order[first : first + batch])
        else:
            workers, context = given
            loader: DataLoader[Any] = DataLoader(
                dataset, batch, sampler=order.tolist(), num_workers=workers,
                multiprocessing_context=context,
            )  # fmt: skip
            batches = iter(loader)
            next(batches)  # workers have started; their start is not a batch's cost
            start = time.perf_counter()
            for _ in batches:
                pass
        rounds.append(len(order) / (time.perf_counter() - start))
    low, median, high = np.percentile(rounds, [20, 50, 80])
    return {
        "how": how,
        "batch_size": batch,
        "samples_per_second": {"p20": round(low), "median": round(median), "p80": round(high)},
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with exit_with_message():
        print(json.dumps(measure(Path(sys.argv[1]), sys.argv[2])))
