"""Times training steps by number of threads and by how long they spin, beside busy processes.

GNU OpenMP's threads spin at every barrier before they sleep. Where other processes want the cores,
a thread spins for one that does not run: a step of many small products can take ten times as long.
"""

import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Gt

from data_specs.command_line import Folder, OutputFile, run_command
from data_specs.layout import write_json
from data_specs.parameters import Count
from dcell_model.bench import step
from dcell_model.bench.command import provenance
from dcell_model.bench.step import Step

PROGRAM = "python -m dcell_model.bench.threads"
LIBRARY = 300_000  # GNU OpenMP's default
SPINS = (LIBRARY, 10_000, 1000)  # GOMP_SPINCOUNT


@dataclass(frozen=True, slots=True)
class Way:
    """How the threads of a process are set before torch is imported."""

    threads: int
    spins: int = LIBRARY

    def environment(self) -> dict[str, str]:
        """The variables that say so."""
        return {"OMP_NUM_THREADS": str(self.threads), "GOMP_SPINCOUNT": str(self.spins)}


def ways(cores: int) -> list[Way]:
    """One thread; and as many as there are cores, spinning for so long."""
    return [Way(1), *(Way(cores, spins) for spins in SPINS)]


@contextlib.contextmanager
def busy(processes: int) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Keep so many processes busy beside whatever runs here."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield loops
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def run(
    settings: Sequence[Step], out: Path, *, rounds: int = 3, command: Sequence[str] = ()
) -> dict[str, Any]:
    """Measure every setting in every way, on a quiet machine and beside as many loops as cores.

    Ways take turns, so that a drift of the machine meets all alike.

    Args:
        settings: the steps that are timed.
        out: JSON file to write.
        rounds: how often each is timed; the median counts.
        command: how this was called, for the record.
    """
    cores = len(os.sched_getaffinity(0))
    record: dict[str, Any] = provenance(command) | {"cores": cores, "rows": []}
    for loops in (0, cores):
        for setting in settings:
            rates: dict[Way, list[float]] = {way: [] for way in ways(cores)}
            with busy(loops):
                for _ in range(rounds):
                    for way, found in rates.items():
                        row = step.run(setting, way.environment())
                        found.append(row["samples_per_second"]["median"])
            for way, found in rates.items():
                line = {
                    "data": Path(setting.data).name, "engine": setting.engine,
                    "batch_size": setting.batch_size, "widths": setting.widths,
                    "busy_loops": loops, "threads": way.threads, "spins": way.spins,
                    "samples_per_second": {
                        "median": statistics.median(found), "all": found,
                    },
                }  # fmt: skip
                record["rows"].append(line)
                print(_shown(line), flush=True)
    write_json(out, record)
    return record


def _shown(row: dict[str, Any]) -> str:
    spins = f", GOMP_SPINCOUNT={row['spins']}" if row["threads"] > 1 else ""
    return (
        f"{row['data']}, {row['engine']}, batch {row['batch_size']:,}, {row['busy_loops']} busy: "
        f"{row['threads']} threads{spins}: {row['samples_per_second']['median']:,.0f}/s"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Threads:
    """Time training steps by number of threads, and by how long they spin."""

    small: Annotated[Folder, "build of the demo's size"]
    large: Annotated[Folder, "build of yeast's size"]
    rounds: Count = 3
    seconds: Annotated[float, Gt(0), "time of each measurement"] = 3.0
    contained: Annotated[bool, "also 146 million parameters"] = False
    out: Annotated[OutputFile, "record to write"]

    def __call__(self) -> None:
        small, large = str(self.small), str(self.large)
        timed = [
            (small, "incremental", 256, "contained"),
            (large, "incremental", 256, "direct"),
            (large, "incremental", 1024, "direct"),
            *([(large, "incremental", 256, "contained")] if self.contained else []),
        ]
        settings = [
            Step(data=data, engine=engine, batch_size=size, widths=widths, seconds=self.seconds)
            for data, engine, size, widths in timed
        ]
        run(settings, self.out, rounds=self.rounds, command=[*PROGRAM.split(), *sys.argv[1:]])


main = partial(run_command, PROGRAM, Threads)

if __name__ == "__main__":
    main()
