"""Read one gene network, whatever its format, as a table of gene names and weights.

- Index pairs: three tab-separated columns without a header, two indices and a weight; the channels
  of STRING are handed on like that. Indices count from 1 in a list of genes in a file of its own.
- A table (TSV, CSV, Parquet) with the columns `gene_a`, `gene_b` and, if edges have one, `weight`.

Both may be plain or gzipped.
"""

from pathlib import Path

import polars as pl

from data_specs.errors import InputError
from data_specs.files import read_text

COLUMNS = ("gene_a", "gene_b", "weight")


def read_gene_list(path: Path) -> list[str]:
    """The genes that indices stand for, in order: one name a line.

    Raises:
        InputError: a line is empty or not one word.
    """
    genes = read_text(path).rstrip("\n").split("\n")
    for line, gene in enumerate(genes, start=1):
        if not gene or len(gene.split()) != 1:
            raise InputError(f"{path}:{line}: {gene!r}; expected the name of one gene")
    return genes


def read_network(path: Path, genes: list[str] | None = None) -> pl.DataFrame:
    """Read the edges as they stand in the file, not yet merged.

    Args:
        path: the file.
        genes: what index pairs stand for, as `read_gene_list` gives it.

    Returns:
        `gene_a`, `gene_b` (str) and `weight` (float64, 1 where the file has none).

    Raises:
        InputError: another format, an index without a gene, or a weight that is not a number above
            or equal to 0; names file and line.
    """
    if path.name.endswith(".parquet"):
        try:
            return _checked(pl.read_parquet(path), path, 1)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise InputError(f"{path}: not readable as Parquet: {error}") from None
    text = read_text(path)
    first = text.partition("\n")[0]
    separator = "\t" if "\t" in first else ","
    indexed = [part.isdecimal() for part in first.split(separator)[:2]] == [True, True]
    try:
        frame = pl.read_csv(
            text.encode(), separator=separator, has_header=not indexed, infer_schema=False,
            quote_char=None,
        )  # fmt: skip
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0] if str(error) else "it is empty"
        raise InputError(f"{path}: not readable as a network: {reason}") from None
    if not indexed:
        return _checked(frame, path, 2)
    if frame.width != len(COLUMNS):
        raise InputError(f"{path}:1: {frame.width} columns; expected two indices and a weight")
    if genes is None:
        raise InputError(
            f"{path}: pairs of indices; set sources.network_genes to the list of genes that they "
            "stand for"
        )
    frame.columns = list(COLUMNS)
    names = pl.Series(genes, dtype=pl.String)
    for column in COLUMNS[:2]:
        index = frame[column].cast(pl.Int64, strict=False)
        bad = index.is_null() | ~index.is_between(1, len(genes))
        _refuse(bad.fill_null(True), frame[column], path, 1, f"an index from 1 to {len(genes):,}")
        frame = frame.with_columns(names.gather(index - 1).alias(column))
    return _checked(frame, path, 1)


def _checked(frame: pl.DataFrame, path: Path, first_line: int) -> pl.DataFrame:
    if not set(COLUMNS[:2]) <= set(frame.columns):
        raise InputError(
            f"{path}: columns {', '.join(frame.columns)}; expected gene_a, gene_b and weight, or "
            "pairs of indices with a weight and no header"
        )
    if "weight" not in frame.columns:
        frame = frame.with_columns(weight=pl.lit(1.0))
    weight = frame["weight"].cast(pl.Float64, strict=False)
    sound = (weight.is_finite() & (weight >= 0)).fill_null(False)
    _refuse(~sound, frame["weight"], path, first_line, "a weight of 0 or more")
    named = frame.select(pl.col("gene_a", "gene_b").cast(pl.String)).with_columns(weight=weight)
    for column in COLUMNS[:2]:
        missing = named[column].is_null()
        _refuse(missing, named[column], path, first_line, f"a gene as {column}")
    return named


def _refuse(bad: pl.Series, found: pl.Series, path: Path, first_line: int, expected: str) -> None:
    row = bad.arg_max() if bad.any() else None
    if row is not None:
        raise InputError(f"{path}:{row + first_line}: {found[row]!r}; expected {expected}")
