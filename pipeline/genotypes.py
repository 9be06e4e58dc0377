"""Stage `genotypes`: all given files as one table, one row a distinct set of deleted genes.

Rows of one gene set (repeats, other alleles, query and array exchanged) become one genotype with
the mean of each phenotype and its spread. What a file calls a gene is taken as it is: whether a
gene is annotated is asked where the hierarchy is known.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from data_specs.errors import InputError
from data_specs.files import replacing
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.parameters import Genotypes, Parameters
from data_specs.tables import write_table
from pipeline.genotype_formats import GenotypeTable, read
from pipeline.stage import run_stage

Given = Literal["train", "test"]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def merge(
    tables: Sequence[tuple[Given, GenotypeTable]], settings: Genotypes
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Merge rows of one gene set, in the schema of `data_specs.tables`, and count what went where.

    The order of files and of their rows does not change a bit of the result, except that the
    phenotypes come in the order in which the files name them, the primary one first.

    Returns:
        The genotypes, and the ledger, in which rows == sum(dropped) + merged + genotypes.

    Raises:
        InputError: no files, primary phenotypes of different names, or no genotype left.
    """
    phenotypes = _phenotypes([table for _, table in tables])
    rows = pl.concat(
        [
            table.frame.select("genes", "query", *table.phenotypes, given=pl.lit(part))
            for part, table in tables
        ],
        how="diagonal",
    )
    # A tab sorts before all that a name may hold: keys sort as their gene lists do.
    rows = rows.with_columns(key=pl.col("genes").list.join("\t"))
    total = sum(table.rows for _, table in tables)
    dropped = _added(table.dropped for _, table in tables)
    tested = rows.filter(given="test")["key"].unique()
    for reason, unusable in {
        "no_deletion": _no_deletion(settings.control_gene),
        "order": _other_order(settings.orders),
        "also_in_test": (pl.col("given") == "train") & pl.col("key").is_in(tested.implode()),
    }.items():
        kept = rows.filter(~unusable)
        dropped = _added([dropped, {reason: rows.height - kept.height}])
        rows = kept
    if rows.is_empty():
        raise InputError(
            f"no genotype is left of {total} rows; dropped: "
            + ", ".join(f"{reason} {count}" for reason, count in dropped.items())
            + f". Are these the right files, and is genotypes.orders {list(settings.orders)} right?"
        )
    genotypes = _merged(rows, phenotypes)
    orders = genotypes["genes"].list.len().alias("order").value_counts().sort("order")
    ledger = {
        "files": [
            {"path": str(table.path), "format": table.form, "rows": table.rows, "given": part}
            for part, table in tables
        ],
        "rows": total,
        "dropped": dropped,
        "merged": rows.height - genotypes.height,
        "genotypes": genotypes.height,
        "genes": genes_of(genotypes).height,
        "orders": {str(order): count for order, count in orders.iter_rows()},
        "given_test": genotypes.filter(given="test").height,
    }
    return genotypes, ledger


def genes_of(genotypes: pl.DataFrame) -> pl.DataFrame:
    """List all genes that occur, sorted, as the one column `gene`."""
    return genotypes.select(pl.col("genes").explode().unique().sort().alias("gene"))


def _phenotypes(tables: Sequence[GenotypeTable]) -> list[str]:
    """The phenotypes of any of the tables, the common primary one first."""
    if not tables:
        raise InputError("no genotype file is given; name at least one in sources.genotypes")
    first = tables[0]
    for table in tables:
        if table.phenotypes[0] != first.phenotypes[0]:
            raise InputError(
                f"{table.path}: the primary phenotype is '{table.phenotypes[0]}', but in "
                f"{first.path} it is '{first.phenotypes[0]}'; expected one and the same measure. "
                "Rename or reorder the columns, or build them as separate data sets."
            )
    names = list(dict.fromkeys(name for table in tables for name in table.phenotypes))
    for name in names:
        if f"{name}_spread" in names:
            raise InputError(f"'{name}_spread' is what the spread of '{name}' is called; rename it")
    return names


def _no_deletion(control_gene: str | None) -> pl.Expr:
    control = [] if control_gene is None else [control_gene]
    return (pl.col("genes").list.len() == 0) | pl.col("key").is_in(control)


def _other_order(orders: Sequence[int]) -> pl.Expr:
    return ~pl.col("genes").list.len().is_in(orders) if orders else pl.lit(False)


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for count in counts:
        for reason, number in count.items():
            total[reason] = total.get(reason, 0) + number
    return {reason: number for reason, number in total.items() if number}


def _merged(rows: pl.DataFrame, phenotypes: Sequence[str]) -> pl.DataFrame:
    """Merge rows `[N]` by `key` into genotypes `[G]`, sorted by genes."""
    known = rows.select(pl.col("key").unique().sort()).with_row_index("group")
    rows = rows.drop("genes").join(known, on="key", how="left").drop("key")
    # The sum of floats depends on their order: it is made that of the values, not of the file.
    repeated = pl.col("group").is_duplicated()
    parts = [rows.filter(repeated).sort("group", *phenotypes), rows.filter(~repeated)]
    rows = pl.concat(parts).sort("group", maintain_order=True)
    groups = rows["group"].to_numpy()
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    means, spreads = {}, {}
    keys = {
        "genes": known["key"].str.split("\t"),
        "queries": _queries(rows, known.height),
        "given": rows["given"].gather(starts),
        "count": pl.Series(np.diff(starts, append=len(groups)), dtype=pl.UInt32),
    }
    for name in phenotypes:
        mean, spread = mean_and_spread(rows[name].fill_null(np.nan).to_numpy(), starts)
        means[name] = pl.Series(mean).fill_nan(None)
        spreads[f"{name}_spread"] = pl.Series(spread).fill_nan(None)
    return pl.DataFrame(keys | means | spreads)


def mean_and_spread(values: Floats, starts: Ints) -> tuple[Floats, Floats]:
    """Mean and sample standard deviation of runs of `values` `[N]` that begin at `starts` `[G]`.

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


def _queries(rows: pl.DataFrame, groups: int) -> pl.Series:
    """The distinct query keys of every group, sorted, list[str] `[G]`."""
    pairs = rows.select("group", "query").drop_nulls().unique().sort("group", "query")
    sizes = np.bincount(pairs["group"].to_numpy(), minlength=groups)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return pl.Series(pa.LargeListArray.from_arrays(offsets, pairs["query"].to_arrow()))


def run(parameters: Parameters, layout: DataLayout) -> None:
    """Write `genotypes.parquet`, `genes.parquet` and their ledger from the files of the sources.

    Raises:
        InputError: a file that cannot be read, or nothing left to learn from.
    """
    sources = read_json(layout.sources / "sources.json")
    settings = parameters.genotypes
    given: list[tuple[Given, str]] = [("train", path) for path in sources["genotypes"]]
    given += [("test", path) for path in sources["test_genotypes"]]
    tables = [
        (part, read(Path(path), control_gene=settings.control_gene, on_bad_row=settings.on_bad_row))
        for part, path in given
    ]
    genotypes, ledger = merge(tables, settings)
    with replacing(layout.genotypes) as folder:
        folder.mkdir()
        write_table(genotypes, folder / "genotypes.parquet")
        write_table(genes_of(genotypes), folder / "genes.parquet")
        write_json(folder / "ledger.json", ledger)


if __name__ == "__main__":
    run_stage(run)
