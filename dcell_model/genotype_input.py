"""Genotypes as people write them: on the command line, in a text file, or in a table."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_specs.errors import InputError
from data_specs.gene_names import split_names
from data_specs.raw_files import read_text

COLUMN = "genes"
_TABLES = (".csv", ".tsv", ".txt", ".parquet", ".gz")


def read_genotypes(given: str) -> list[list[str]]:
    """The names of the genes of every genotype, as written.

    Args:
        given: a file, or genotypes themselves, separated by `;`. Genes of a genotype are separated
            by `|`, `,` or whitespace. A file has a genotype a line (`#` begins a comment), or is a
            table (CSV, TSV, Parquet) with a column `genes`, where an empty cell is the wild type.

    Raises:
        InputError: no such file, no such column, or no genotype at all.
    """
    path = Path(given)
    if given.strip() and len(given) < 1024 and path.exists():  # no text is not the folder "."
        genotypes = _read_file(path)
    elif path.suffix in _TABLES or "/" in given:
        raise InputError(f"{given}: no such file")
    else:
        genotypes = [split_names(part) for part in given.split(";") if part.strip()]
    if not genotypes:
        raise InputError(f"{given or 'the empty text'}: no genotype; expected 'YAL001C,YBR002C'")
    return genotypes


def read_gene_names(path: Path) -> list[str]:
    """The names of all genes in a file of `read_genotypes`, each once, in order."""
    return list(dict.fromkeys(name for names in read_genotypes(str(path)) for name in names))


def _read_file(path: Path) -> list[list[str]]:
    if path.is_dir() or path.suffix == ".parquet":
        return [_split_cell(cell) for cell in _parquet_column(path)]
    lines = [line.strip("\r") for line in read_text(path).split("\n")]
    header = lines[0] if lines else ""
    for delimiter in ("\t", ","):
        rows = csv.reader(lines, delimiter=delimiter)
        names = [name.strip() for name in next(rows, [])]
        if COLUMN in names:
            return [split_names(_cell(row, names, path, rows.line_num)) for row in rows if row]
    if path.suffix in (".csv", ".tsv") and any(mark in header for mark in ("gene_", "\t")):
        raise InputError(f"{path}: no column '{COLUMN}'; found {header[:60]!r}")
    texts = (line.partition("#")[0] for line in lines)
    return [split_names(text) for text in texts if text.strip()]


def _cell(row: list[str], names: list[str], path: Path, line: int) -> str:
    if len(row) != len(names):
        raise InputError(f"{path}:{line}: {len(row)} columns; expected {len(names)}")
    return row[names.index(COLUMN)]


def _parquet_column(path: Path) -> Iterable[Any]:
    try:
        table = pq.read_table(path, columns=[COLUMN])
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not readable as Parquet: {error}") from None
    if COLUMN not in table.column_names:
        raise InputError(f"{path}: no column '{COLUMN}'")
    cells: list[Any] = table[COLUMN].to_pylist()
    return cells


def _split_cell(cell: Any) -> list[str]:
    if isinstance(cell, list):  # as the genotype tables of a build have them
        return list(dict.fromkeys(map(str, cell)))
    return split_names("" if cell is None else str(cell))
