"""Times how many pairs a second each way to screen predicts, side by side in one run.

Engines take turns, for several rounds, on random pairs: what a pair costs depends on its genes. A
screen's own order is faster, since pairs that follow each other share a gene; it has a row of its
own, on stretches from random places. Time is the process's own, on one thread, so that what
else the machine does counts little; wall time stands beside it. Setting up (single deletions
evaluated once) is timed apart.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Gt

from data_specs.cell_graph import CellGraph
from data_specs.command_line import Build, OutputFile, run_command
from data_specs.layout import DataLayout, write_json
from data_specs.outputs import refuse_part_of
from data_specs.parameters import Count
from data_specs.parameters import Model as ModelConfig
from dcell_model.bench.command import provenance
from dcell_model.dcell import DCell
from dcell_model.machine import keep_freed_memory, one_thread
from dcell_model.predict import FloatArray, IntArray, Trained
from dcell_model.screen import GenotypeSpace, Part, ScreenEngine
from dcell_model.written_folders import refuse_file

PROGRAM = "python -m dcell_model.bench.screen"

# Pairs a round and batch size of each: the reference takes a second for some hundred pairs.
ENGINES = {
    "reference": (512, 512), "incremental": (8192, 4096), "combined": (32768, 8192),
    "combined, in order": (32768, 8192),
}  # fmt: skip


def run(graph: CellGraph, rounds: int, scale: float = 1.0) -> dict[str, Any]:
    """Pairs per CPU second by engine, on one thread.

    Args:
        graph: the hierarchy; the model on it is new, with direct widths.
        rounds: how often each engine has its turn.
        scale: share of the pairs of `ENGINES` to take.

    Returns:
        By engine: pairs a round, batch size, pairs/s of every round by CPU and by wall time, the
        median of the first, its ratio to the reference's, and the largest difference from the
        reference's predictions.
    """
    keep_freed_memory()
    with one_thread():
        return _measure(graph, rounds, scale)


def _measure(graph: CellGraph, rounds: int, scale: float) -> dict[str, Any]:
    torch.manual_seed(0)
    model = DCell(graph, ModelConfig(width_genes="direct", norm_order="act_norm"))
    trained = Trained.of([model], ["score"], (torch.zeros(1), torch.ones(1)))
    space = GenotypeSpace(np.arange(graph.num_genes), 2)
    start = time.process_time()
    combined = ScreenEngine(trained, ENGINES["combined"][1])
    combined.single()
    result: dict[str, Any] = {
        "terms": graph.num_terms,
        "genes": graph.num_genes,
        "pairs": len(space),
        "set_up_seconds": round(time.process_time() - start, 2),
        "threads": 1,
        "engines": {},
    }
    some = space.genotypes(Part(0, 0, min(len(space), 256)))
    expected = _predict(trained, combined, "reference", 256)(some)
    for name, (pairs, batch_size) in ENGINES.items():
        error = np.abs(_predict(trained, combined, name, batch_size)(some) - expected).max()
        result["engines"][name] = {
            "pairs": min(len(space), max(1, int(pairs * scale))),
            "batch_size": batch_size,
            "pairs_per_second": [],
            "pairs_per_wall_second": [],
            "largest_error": float(error),
        }
    for round_index in range(rounds):
        for name, row in result["engines"].items():
            count = row["pairs"]
            if name == "combined, in order":
                genotypes = _stretch(space, count, seed=round_index)
            else:
                genotypes = _random_pairs(graph.num_genes, count, seed=round_index)
            start, wall = time.process_time(), time.perf_counter()
            _predict(trained, combined, name, row["batch_size"])(genotypes)
            seconds = time.process_time() - start, time.perf_counter() - wall
            row["pairs_per_second"].append(round(count / seconds[0], 1))
            row["pairs_per_wall_second"].append(round(count / seconds[1], 1))
    for row in result["engines"].values():
        row["median"] = float(np.median(row["pairs_per_second"]))
        row["times_reference"] = round(row["median"] / result["engines"]["reference"]["median"], 1)
    hours = len(space) / result["engines"]["combined, in order"]["median"] / 3600
    return result | {"core_hours_for_all_pairs": round(hours, 2)}


def _random_pairs(genes: int, count: int, seed: int) -> IntArray:
    """`[count, 2]` pairs of different genes, with repeats; fewer are the first of more."""
    random = np.random.default_rng(seed)
    first, step = random.integers(0, [genes, genes - 1], size=(count, 2)).T
    pairs: IntArray = np.sort(np.stack([first, (first + 1 + step) % genes], axis=1), axis=1)
    return pairs


def _stretch(space: GenotypeSpace, count: int, seed: int) -> IntArray:
    """`[count, 2]` pairs that follow each other in a screen."""
    first = int(np.random.default_rng(seed).integers(0, len(space) - count + 1))
    return space.genotypes(Part(0, first, first + count))


def _predict(
    trained: Trained, combined: ScreenEngine, name: str, batch_size: int
) -> Callable[[IntArray], FloatArray]:
    if name.startswith("combined"):
        return lambda genotypes: trained.predictions(combined.predict(genotypes)).values.numpy()

    def predict(genotypes: IntArray) -> FloatArray:
        (model,) = trained.with_subsystems()
        model.engine = name
        try:
            return trained.predict(genotypes, batch_size=batch_size)
        finally:
            model.engine = "incremental"

    return predict


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Time the engines of `dcell screen` on the hierarchy of a build."""

    data: Build
    rounds: Count = 5
    scale: Annotated[float, Gt(0), "share of the pairs to use"] = 1.0
    out: Annotated[OutputFile, "record to write"]

    def __call__(self) -> None:
        refuse_file(self.out, suffix=".json", kind="record")
        layout = DataLayout(self.data)
        refuse_part_of(self.out, self.data, layout.own_of_all(), "build")
        record = provenance([*PROGRAM.split(), *sys.argv[1:]])
        record |= run(CellGraph.read(layout.cell_graph), self.rounds, self.scale)
        write_json(self.out, record)
        for name, row in record["engines"].items():
            print(f"{name:<18} {row['median']:>10,.0f} pairs/s  {row['times_reference']:>6.1f}x")


main = partial(run_command, PROGRAM, Screen)

if __name__ == "__main__":
    main()
