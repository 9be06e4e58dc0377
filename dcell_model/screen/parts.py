"""The parts of a screen, written by all cores of this process or by the workers of a cluster.

A part does not depend on the others, nor on who writes it. Workers open the checkpoint themselves
and keep what all parts share, the single deletions, from one part to the next.
"""

import dataclasses
import functools
import math
import time
from pathlib import Path

import pyarrow.parquet as pq

from data_specs.errors import InputError
from data_specs.files import replacing_file
from data_specs.parameters import Dask
from data_specs.tables import part_name
from data_specs.workers import workers
from dcell_model.machine import duration, one_thread, progress
from dcell_model.predict import open_run
from dcell_model.screen.genotype_space import Part
from dcell_model.screen.screen import References, Screen, Settings

TABLE = "genotypes.parquet"
SHORT = 10.0  # seconds of work that nobody needs to be told of before


def write_parts(screen: Screen, checkpoint: Path, out: Path, dask: Dask) -> float:
    """Write the parts that are not there yet.

    Args:
        screen: of the checkpoint.
        checkpoint: for workers, which find it under the same path.
        out: folder of the screen, under the same path for workers.
        dask: who predicts; the default is this process.

    Returns:
        The prediction for the wild type.

    Raises:
        InputError: see `Screen.references`, `Screen.part` and `workers`; a worker finds another
            checkpoint.
    """
    count, parts = len(screen.space), list(screen.space.parts(screen.settings.part_rows))
    missing = [n for n in range(len(parts)) if not (out / TABLE / part_name(n)).exists()]
    here = dask == Dask()
    with one_thread():
        references = screen.references()
        left = [parts[number] for number in missing]
        seconds = _estimate(screen, references, left)
        if left and seconds > SHORT:
            where = f"on {screen.engine.threads} threads"
            if not here:
                seconds, where = seconds * screen.engine.threads, "of one core"
            print(
                f"{_size(left):,} genotypes in {len(left):,} parts: about {duration(seconds)} "
                f"{where}", flush=True,
            )  # fmt: skip
        done = count - _size(left)
        with progress(f"{count:,} genotypes", count, done=done) as shown:
            if here:
                for number in missing:
                    shown.advance(_write(screen, references, parts, number, out))
            else:
                own = dataclasses.replace(
                    screen.settings, queries=tuple(screen.settings.queries),
                    genes=screen.settings.genes and screen.settings.genes.resolve(),
                )  # fmt: skip
                given = (checkpoint.resolve(), screen.trained.digest, own, out.resolve())
                with workers(dask, len(missing)) as each:
                    each(_write_on_worker, [(*given, number) for number in missing], shown.advance)
    return float(references.wild_type.mean())


def _size(parts: list[Part]) -> int:
    return sum(part.last - part.first for part in parts)


def _write(
    screen: Screen, references: References, parts: list[Part], number: int, out: Path
) -> int:
    """Write a part; returns its genotypes."""
    part = parts[number]
    with replacing_file(out / TABLE / part_name(number)) as partial:
        pq.write_table(screen.part(part, references), partial, compression="zstd")
    return part.last - part.first


def _write_on_worker(
    checkpoint: Path, digest: str, settings: Settings, out: Path, number: int
) -> int:
    """The same in another process, which opens what it needs once."""
    with one_thread():
        return _write(*_opened(checkpoint, digest, settings), number, out)


@functools.lru_cache(maxsize=1)
def _opened(
    checkpoint: Path, digest: str, settings: Settings
) -> tuple[Screen, References, list[Part]]:
    trained = open_run(checkpoint)
    if trained.digest != digest:
        raise InputError(
            f"{checkpoint}: a worker found a checkpoint with the digest {trained.digest}; the "
            f"screen is of {digest}. All workers must see the same files."
        )
    screen = Screen.of(trained, settings)
    return screen, screen.references(), list(screen.space.parts(settings.part_rows))


def _estimate(screen: Screen, references: References, parts: list[Part]) -> float:
    """Seconds that parts will take, by a stretch of three of them; 0 for few."""
    rows = screen.settings.batch_size
    if _size(parts) < 10 * rows:
        return 0.0
    screen.part(Part(parts[0].query, parts[0].first, parts[0].first + 1), references)  # warm up
    rates = []
    for part in {parts[0], parts[len(parts) // 2], parts[-1]}:
        some = Part(part.query, part.first, min(part.last, part.first + rows))
        begun = time.perf_counter()
        screen.part(some, references)
        rates.append((time.perf_counter() - begun) / (some.last - some.first))
    return math.fsum(rates) / len(rates) * _size(parts)
