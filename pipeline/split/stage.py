"""Stage `split`: which samples train the model, which choose its settings, which judge it.

Chance comes from BLAKE2b of the seed and the genotype (or the group of genotypes) alone: the parts
are the same on every machine, and do not depend on the order of the samples.

- `random`: any sample may come into any part.
- `query`: samples whose queries hang together go into one part, so that no query strain is on two
  sides. Samples without a query are groups of their own. Whole groups are given to a part as long
  as that brings it closer to its share.
- `gene`: the test samples are those wholly inside a set of genes. Of those wholly outside, the
  validation samples are those wholly inside a second set, the training samples those wholly outside
  it. The rest is excluded. So what the validation part says of genes never seen holds for the test
  part: when to stop, and how far to shrink predictions.

Where alleles are kept, samples of one gene set are one input to a model that knows genes alone.
Apart, a test sample would have its answer, nearly, in the training part. So they stay in one part
with any method, unless `split.alleles` is `apart`: then each is drawn for itself, and a query's
group or a set of genes holds them together where that is the method. Shares are of samples. Where
genes have states, a model knows these, too: samples with other states are other genotypes.

Samples of given test files are the test part, whatever the method; only the validation part is
then drawn, by the method, and its share is one of the samples that are left.

The keys of all samples are never in memory at once: each part of the store is reduced to the lots
of its samples, a few bytes each, and the decision is made on these.
"""

from collections.abc import Sequence
from filecmp import cmp
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.parquet as pq

from data_specs.chain import write_link
from data_specs.errors import ArtefactError, InputError
from data_specs.files import replacing_folder
from data_specs.layout import ENTRIES, DataLayout, write_json
from data_specs.output_folders import FolderKind, taken
from data_specs.outputs import written
from data_specs.parameters import Parameters, Split
from data_specs.tables import (
    ALLELES,
    EXCLUDED,
    PARTS,
    STATES,
    TEST,
    TRAIN,
    VAL,
    parts_of,
    write_table,
)
from data_specs.workers import workers
from pipeline.split.lots import Hashes, Indices, Lots, draw, whole_genes, whole_groups

Parts = npt.NDArray[np.uint8]  # numbers of data_specs.tables.PARTS


def split(samples: pl.DataFrame, settings: Split) -> pl.DataFrame:
    """Give every sample its part.

    Args:
        samples: `genes` and `queries` (list[str], sorted) and `given`, in the store's order; and
            `alleles` where they are kept, and `states` where genes have them.
        settings: method, shares and seed.

    Returns:
        Columns `data_specs.tables.SPLIT`, one row a sample in the same order. The parts depend on
        the samples and the settings, not on the order.

    Raises:
        InputError: a part that was asked for would be empty, or the method does not fit the data.
    """
    return table_of(decide([draw(samples, settings)], settings))


def decide(lots: Sequence[Lots], settings: Split) -> Parts:
    """The part of every sample, from the lots of all parts of the store in order.

    Raises:
        InputError: as `split`.
    """
    if not sum(len(part_lots.hashes) for part_lots in lots):
        raise InputError("the store holds no samples; build it from genotypes whose genes it knows")
    hashes = np.concatenate([part_lots.hashes for part_lots in lots])
    order = np.argsort(hashes, kind="stable")
    given_test = np.concatenate([part_lots.given_test for part_lots in lots])
    free = order[~given_test[order]]
    test = 0.0 if given_test.any() else settings.test
    parts = np.full(len(order), TEST, dtype=np.uint8)
    if settings.method == "query" and len(free):
        groups = whole_groups(
            [part_lots.groups for part_lots in lots if part_lots.groups], settings.seed
        )
        parts[free] = by_query(groups[free], settings.val, test)
    elif settings.method == "gene" and len(free):
        lowest, highest = whole_genes([part_lots.genes for part_lots in lots if part_lots.genes])
        parts[free] = by_gene(lowest[free], highest[free], settings.val, test)
    else:
        parts[free] = at_random(hashes[free], settings.val, test)
    _check(parts, settings, bool(given_test.any()))
    return parts


def at_random(hashes: Hashes, val: float, test: float) -> Parts:
    """The parts of shuffled samples: the first are the test part, the next the validation part.

    Samples of one hash are in one part, to which the first of them belongs.
    """
    samples = len(hashes)
    starts = np.flatnonzero(np.concatenate([[True], hashes[1:] != hashes[:-1]]))
    ends = np.concatenate([starts[1:], [samples]])
    # A part that is asked for has a sample, and ends where a genotype does.
    cut = 0
    parts = np.full(samples, TRAIN, dtype=np.uint8)
    for part, share in ((TEST, test), (VAL, val)):
        if size := _size(samples, share):
            end = int(ends[np.searchsorted(ends, min(cut + size, samples))])
            parts[cut:end] = part
            cut = end
    return parts


def by_query(groups: Indices, val: float, test: float) -> Parts:
    """The parts of samples `[N]`: whole groups of them, in the order of the groups' indices."""
    sizes = np.bincount(groups)  # those of given test samples have none here
    parts = np.full(len(sizes), TRAIN, dtype=np.uint8)
    for part, share, left in ((TEST, test, 1 + (val > 0)), (VAL, val, 1)):
        free = np.flatnonzero((parts == TRAIN) & (sizes > 0))
        most = len(free) - left  # a group each is left for what comes after
        parts[free[_nearest(sizes[free], _size(len(groups), share), most)]] = part
    return parts[groups]


def by_gene(lowest: Indices, highest: Indices, val: float, test: float) -> Parts:
    """The parts of samples `[N]`: test and validation part lie wholly inside a set of genes each.

    Each is the smallest set that yields its share; genes join in the order of their indices, first
    those of the test part. The share is that of the samples not excluded.
    """
    parts = np.full(len(lowest), EXCLUDED, dtype=np.uint8)
    first = tested = 0  # the first gene that is in no set; samples that are
    for part, share in ((TEST, test), (VAL, val)):
        left = lowest >= first
        last = _smallest_set(lowest[left], highest[left], share, tested)
        parts[left & (highest < last)] = part
        first, tested = max(first, last), int((parts != EXCLUDED).sum())
    parts[lowest >= first] = TRAIN
    return parts


def _smallest_set(lowest: Indices, highest: Indices, share: float, others: int) -> int:
    """How many genes, by index, hold a share of samples, those without these genes, and others.

    0 where no share is wanted or no set is enough.
    """
    if not (share > 0 and len(lowest)):
        return 0
    genes = int(highest.max()) + 1
    # By the last gene to join: samples with all genes in the set, and samples with none.
    inside = np.cumsum(np.bincount(highest, minlength=genes))
    outside = len(lowest) - np.cumsum(np.bincount(lowest, minlength=genes))
    enough = (inside > 0) & (inside >= share * (inside + outside + others))
    return int(np.argmax(enough)) + 1 if enough.any() else 0


def _size(samples: int, share: float) -> int:
    """Samples in a share, to the nearest; at least one where there are three or more."""
    nearest = int(samples * share + 0.5)
    return max(nearest, 1) if share > 0 and samples >= 3 else nearest


def _nearest(sizes: npt.NDArray[np.int64], target: int, most: int) -> list[int]:
    """Take groups, in order, as long as each brings the sum closer to the target.

    At least one is taken, and no more than `most`.
    """
    total = 0
    taken: list[int] = []
    for group, size in enumerate(sizes.tolist()):
        if total >= target or len(taken) >= most:
            break
        if abs(total + size - target) < target - total:
            total += size
            taken.append(group)
    if target and not taken and most > 0:
        taken = [int(np.argmin(sizes))]
    return taken


def _check(parts: Parts, settings: Split, test_is_given: bool) -> None:
    counts = dict(zip(PARTS, np.bincount(parts, minlength=len(PARTS)).tolist(), strict=True))
    wanted = {"train": True, "val": settings.val > 0, "test": settings.test > 0 or test_is_given}
    empty = [part for part, asked in wanted.items() if asked and not counts[part]]
    if empty:
        found = ", ".join(f"{part} {count}" for part, count in counts.items())
        raise InputError(
            f"split.method '{settings.method}' with val {settings.val:g}, test {settings.test:g} "
            f"leaves no samples in {' and '.join(empty)} ({found}). Change these shares, set the "
            "share of a part that is not needed to 0, choose method random, or give more genotypes."
        )


def table_of(parts: Parts) -> pl.DataFrame:
    """The parts as a table, `data_specs.tables.SPLIT`."""
    names = pl.Series(PARTS).gather(parts)
    return pl.DataFrame({"sample": pl.int_range(len(parts), eager=True), "part": names})


def draw_part(part: Path, settings: Split) -> Lots:
    """The lots of one part of the store's samples."""
    there = pq.read_schema(part).names
    columns = ["genes", "queries", "given", *(n for n in (ALLELES, STATES) if n in there)]
    return draw(pl.read_parquet(part, columns=columns, glob=False), settings)


def again(parameters: Parameters, layout: DataLayout, *, overwrite: bool = False) -> None:
    """Make another split of a build, as `run`; an earlier one of its name stays if it is the same.

    Raises:
        ArtefactError: the store has not been built.
        InputError: see `split`; or there is one of this name that is another, and not `overwrite`.
    """
    kind = FolderKind("split", layout.own("split"), ())
    with taken(layout.split, kind, overwrite=overwrite):
        run(parameters, layout, overwrite=overwrite)


def _refuse_another(before: Path, now: Path) -> None:
    """Refuse to replace a split by another one."""
    path = before / "split.parquet"
    same = [(before / file).is_file() and cmp(before / file, now / file, shallow=False)
            for file in ENTRIES["split"]]  # fmt: skip
    if path.is_file() and not all(same):
        raise InputError(
            f"{before}: holds another split, written {written(before, [Path(path.name)])}, of "
            "other settings or of an earlier store. Give --overwrite to replace it, or other seeds."
        )


def run(parameters: Parameters, layout: DataLayout, *, overwrite: bool = True) -> None:
    """Split the samples of the store; write the part of each and the counts.

    Args:
        parameters: resolved parameters.
        layout: names the split.
        overwrite: replace an earlier split by another one.

    Raises:
        ArtefactError: the store has not been built.
        InputError: see `split`.
    """
    path = layout.store / "samples.parquet"
    if not path.is_dir():
        raise ArtefactError(f"{path}: no such file. Run the stage 'store' first.")
    files = parts_of(path)
    with workers(parameters.dask, len(files)) as each:
        lots = each(draw_part, [(file, parameters.split) for file in files])
    parts = decide(lots, parameters.split)
    # Given test files are the split that readers compare; the method draws no more than val then.
    given = any(part_lots.given_test.any() for part_lots in lots)
    counts = np.bincount(parts, minlength=len(PARTS)).tolist()
    with replacing_folder(layout.split, layout.own("split")) as folder:
        folder.mkdir()
        write_table(table_of(parts), folder / "split.parquet")
        ledger: dict[str, Any] = {"method": "given" if given else parameters.split.method}
        if parameters.split.alleles == "apart" and ALLELES in pq.read_schema(files[0]).names:
            ledger[ALLELES] = "apart"
        write_json(folder / "ledger.json", ledger | dict(zip(PARTS, counts, strict=True)))
        write_link(layout, "split", folder)
        if not overwrite:
            _refuse_another(layout.split, folder)
