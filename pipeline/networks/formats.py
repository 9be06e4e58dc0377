"""Read the gene networks of a file, whatever its format, as tables of gene names and weights.

- A table (TSV, CSV, Parquet) with the columns `gene_a`, `gene_b` and, if edges have one, `weight`.
- STRING's own `protein.links`, with the columns `protein1` and `protein2`, proteins written
  `4932.YAL001C`, and scores from 0 to 1000, which make weights from 0 to 1. `links.detailed` and
  `links.full` have a column a channel (in the latter `homology`, and what was transferred from
  other organisms, too): each is a network of its own, and `combined_score`, which is made of them,
  is none. A score of 0 is no edge: the account has it under `weight`.
- Index pairs: three tab-separated columns without a header, two indices and a weight; the channels
  of STRING are handed on like that. Indices count from 1 in a list of genes in a file of its own.

All may be plain or gzipped.
"""

import re
from pathlib import Path

import polars as pl

from data_specs.errors import InputError
from data_specs.raw_files import read_text
from data_specs.unpacking import require_file

COLUMNS = ("gene_a", "gene_b", "weight")
PROTEINS, COMBINED, FULL_SCORE = ("protein1", "protein2"), "combined_score", 1000


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


def read_networks(path: Path, genes: list[str] | None = None) -> dict[str, pl.DataFrame]:
    """Read the edges as they stand in the file, not yet merged.

    Args:
        path: the file.
        genes: what index pairs stand for, as `read_gene_list` gives it.

    Returns:
        By channel, `gene_a`, `gene_b` (str) and `weight` (float64, 1 where the file has none); the
        one network of a file without channels is called "".

    Raises:
        InputError: another format, an index without a gene, or a weight that is not a number above
            or equal to 0; names file and line.
    """
    require_file(path)
    if path.name.endswith(".parquet"):
        try:
            return {"": _checked(pl.read_parquet(path, glob=False), path, 1)}
        except (OSError, pl.exceptions.PolarsError) as error:
            raise InputError(f"{path}: not readable as Parquet: {error}") from None
    text = read_text(path)
    first = text.partition("\n")[0].rstrip("\r")
    separator = "\t" if "\t" in first else " " if " " in first and "," not in first else ","
    of_string = first.split(separator)[:2] == list(PROTEINS)
    indexed = [part.isdecimal() for part in first.split(separator)[:2]] == [True, True]
    try:
        frame = pl.read_csv(
            text.encode(), separator=separator, has_header=not indexed, infer_schema=False,
            quote_char=None,
        )  # fmt: skip
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0] if str(error) else "it is empty"
        raise InputError(f"{path}: not readable as a network: {reason}") from None
    if of_string:
        return _channels(frame, path)
    return {"": _of_indices(frame, path, genes) if indexed else _checked(frame, path, 2)}


def _channels(frame: pl.DataFrame, path: Path) -> dict[str, pl.DataFrame]:
    """The networks of a table of STRING; that of a table with one score is called ""."""
    scores = [name for name in frame.columns if name not in PROTEINS]
    if not scores:
        raise InputError(
            f"{path}:1: columns {', '.join(frame.columns)}; expected {COMBINED}, or channels of "
            "STRING"
        )
    odd = [name for name in scores if not re.fullmatch(r"[a-z_]+", name)]
    if odd:
        raise InputError(
            f"{path}:1: column {odd[0]!r}; expected channels of STRING, each once, in small letters"
        )
    ends = []
    for protein, gene in zip(PROTEINS, COLUMNS[:2], strict=True):
        bare = frame[protein].str.extract(r"^[0-9]+\.(\S+)$", 1)
        _refuse(bare.is_null(), frame[protein], path, 2, f"{protein} as TAXON.NAME (4932.YAL001C)")
        ends.append(bare.alias(gene))
    networks = {}
    for name in [each for each in scores if each != COMBINED] or [COMBINED]:
        score = frame[name].str.strip_chars().cast(pl.Int64, strict=False)
        sound = score.is_between(0, FULL_SCORE).fill_null(False)
        _refuse(~sound, frame[name], path, 2, f"{name} from 0 to {FULL_SCORE}")
        weight = (score / FULL_SCORE).alias("weight")
        networks["" if len(scores) == 1 else name] = pl.DataFrame([*ends, weight])
    return networks


def _of_indices(frame: pl.DataFrame, path: Path, genes: list[str] | None) -> pl.DataFrame:
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
            f"{path}: columns {', '.join(frame.columns)}; expected gene_a, gene_b and weight; "
            "protein1, protein2 and scores as STRING has them; or pairs of indices with a weight "
            "and no header"
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
