"""Rows of one gene set become one genotype: the mean of each phenotype, and its spread.

Where genes have states, or alleles are kept, rows of one gene set with other states or alleles
become genotypes of their own.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from data_specs.tables import ALLELES, STATES, joined_states
from pipeline.genotypes.measurement_noise import Sums, sums_of

Given = Literal["train", "test"]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
# What may stand behind the genes in a key. It begins with this, which sorts before a tab, so that
# keys still sort as gene lists do; alleles begin with another, and no name of one has either.
BEHIND, BEFORE_ALLELES = "\x01", "\x02"


def usable(
    frame: pl.DataFrame, given: Given, controls: Collection[str], orders: Sequence[int]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Drop rows that are no genotype to learn from, and count them by reason.

    Args:
        frame: `genes`, `query` and phenotypes, and `alleles` and `states` where they are read.
        given: the parameter that names the file.
        controls: the control gene, by all names that genes of the frame have for it.
        orders: the numbers of deleted genes to keep; empty keeps all.

    Returns:
        `key` (gene names joined by tabs, and where there are states or alleles these behind
        `BEHIND`), `query`, `given` and phenotypes; and the counts.
    """
    # A tab sorts before all that a name may hold: keys sort as their gene lists do.
    rows = frame.with_columns(key=pl.col("genes").list.join("\t"), given=pl.lit(given))
    dropped = {}
    for reason, unfit in {
        "no_deletion": _no_deletion(controls),
        "order": _other_order(orders),
    }.items():
        kept = rows.filter(~unfit)
        dropped[reason] = rows.height - kept.height
        rows = kept
    if further := [name for name in (STATES, ALLELES) if name in rows.columns]:
        key = pl.col("key") + BEHIND
        if STATES in further:
            key += joined_states("\t")
        if ALLELES in further:
            key += BEFORE_ALLELES + pl.col(ALLELES).list.join("\t")
        rows = rows.with_columns(key=key)
    return rows.drop("genes", *further), added([dropped])


def genes_of(key: pl.Expr) -> pl.Expr:
    """The part of a key that is of the genes."""
    return key.str.replace(rf"{BEHIND}[^{BEHIND}]*$", "")


def without_alleles(key: pl.Expr) -> pl.Expr:
    """The part of a key that a model knows: genes and their states."""
    return key.str.replace(rf"{BEFORE_ALLELES}[^{BEFORE_ALLELES}]*$", "")


def _no_deletion(controls: Collection[str]) -> pl.Expr:
    return (pl.col("genes").list.len() == 0) | pl.col("key").is_in(sorted(controls))


def _other_order(orders: Sequence[int]) -> pl.Expr:
    return ~pl.col("genes").list.len().is_in(orders) if orders else pl.lit(False)


def added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add counts by reason; reasons without any are omitted."""
    total: dict[str, int] = {}
    for count in counts:
        for reason, count_of_reason in count.items():
            total[reason] = total.get(reason, 0) + count_of_reason
    return {reason: count_of_reason for reason, count_of_reason in total.items() if count_of_reason}


def merge(
    rows: pl.DataFrame, phenotypes: Sequence[str], further: Collection[str] = ()
) -> tuple[pl.DataFrame, int, dict[str, Sums]]:
    """Merge rows of one gene set into genotypes, in the schema of `data_specs.tables`.

    The order of the rows does not change a bit of the result. Rows of training files whose gene
    set, with its states, is in a test file are omitted, whatever its alleles: a model knows no
    alleles.

    Args:
        rows: as of `usable`: `key`, `query`, `given` and the phenotypes.
        phenotypes: in the order of the result.
        further: which of `alleles` and `states` the keys have.

    Returns:
        The genotypes, sorted by genes, the number of dropped rows, and the sums that tell the
        noise of the others.
    """
    known = without_alleles(pl.col("key")) if ALLELES in further else pl.col("key")
    tested = rows.filter(given="test").select(known.unique()).to_series()
    kept = rows.filter((pl.col("given") == "test") | ~known.is_in(tested.implode()))
    genotypes, noise = _merged(kept, phenotypes, further)
    return genotypes, rows.height - kept.height, noise


def _merged(
    rows: pl.DataFrame, phenotypes: Sequence[str], further: Collection[str]
) -> tuple[pl.DataFrame, dict[str, Sums]]:
    """Merge rows `[N]` by `key` into genotypes `[G]`, sorted by genes."""
    known = rows.select(pl.col("key").unique().sort()).with_row_index("group")
    rows = rows.join(known, on="key", how="left").drop("key")
    # The sum of floats depends on their order: it is made that of the values, not of the file.
    repeated = pl.col("group").is_duplicated()
    parts = [rows.filter(repeated).sort("group", *phenotypes), rows.filter(~repeated)]
    rows = pl.concat(parts).sort("group", maintain_order=True)
    groups = rows["group"].to_numpy()
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    means, spreads = {}, {}
    key = known.select(genes_of(pl.col("key")) if further else "key").to_series()
    keys = {
        "genes": key.str.split("\t"),
        **({ALLELES: _alleles(known["key"])} if ALLELES in further else {}),
        **({STATES: _states(known["key"])} if STATES in further else {}),
        "queries": _queries(rows, known.height),
        "given": rows["given"].gather(starts),
        "count": pl.Series(np.diff(starts, append=len(groups)), dtype=pl.UInt32),
    }
    for name in phenotypes:
        mean, spread = mean_and_spread(rows[name].fill_null(np.nan).to_numpy(), starts)
        means[name] = pl.Series(mean).fill_nan(None)
        spreads[f"{name}_spread"] = pl.Series(spread).fill_nan(None)
    return pl.DataFrame(keys | means | spreads), sums_of(rows, phenotypes)


def mean_and_spread(values: Floats, starts: Ints) -> tuple[Floats, Floats]:
    """Mean and sample standard deviation of groups of `values` `[N]` that begin at `starts` `[G]`.

    NaN stands for a missing value, and for the mean of none and the spread of less than two.
    """
    known = ~np.isnan(values)
    count = np.add.reduceat(known.astype(np.int64), starts)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.add.reduceat(np.where(known, values, 0.0), starts) / count
        mean[count == 0] = np.nan
        away = values - np.repeat(mean, np.diff(starts, append=len(values)))
        squares = np.add.reduceat(np.where(known, away**2, 0.0), starts)
        spread = np.sqrt(squares / (count - 1))
    spread[count < 2] = np.nan
    return mean, spread


def _alleles(keys: pl.Series) -> pl.Series:
    """The alleles in keys, list[str]; empty where there are none."""
    texts = keys.str.extract(rf"{BEFORE_ALLELES}([^{BEFORE_ALLELES}]*)$")
    none = pl.lit([], pl.List(pl.String))
    return pl.select(pl.when(texts != "").then(texts.str.split("\t")).otherwise(none)).to_series()


def _states(keys: pl.Series) -> pl.Series:
    """The states in keys, list[f32]."""
    texts = keys.str.extract(rf"{BEHIND}([^{BEHIND}{BEFORE_ALLELES}]*)")
    return texts.str.split("\t").list.eval(pl.element().cast(pl.Float32))


def _queries(rows: pl.DataFrame, groups: int) -> pl.Series:
    """The distinct query keys of every group, sorted, list[str] `[G]`."""
    pairs = rows.select("group", "query").drop_nulls().unique().sort("group", "query")
    sizes = np.bincount(pairs["group"].to_numpy(), minlength=groups)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return pl.Series(pa.LargeListArray.from_arrays(offsets, pairs["query"].to_arrow()))
