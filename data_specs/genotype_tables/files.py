"""A genotype file: which form it has, its phenotypes, and the pieces that hold its rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from data_specs.errors import InputError
from data_specs.genotype_tables.cells import (
    Piece,
    below,
    pieces_of,
    read_head,
    read_rows,
    sheets_of,
)
from data_specs.genotype_tables.columns import Counts, choose, count_numbers
from data_specs.genotype_tables.headers import Form, known_forms, recognise

# Calls a function with every tuple of arguments; results come in the order of these.
Each = Callable[[Callable[..., Any], Sequence[Any]], list[Any]]


@dataclass(frozen=True, slots=True)
class GenotypeFile:
    """A file of a known form, in pieces that hold rows of genotypes only.

    Attributes:
        path: the file.
        form: its form.
        pieces: of its rows.
        left_out: columns, and sheets of a workbook, that are not read, and why.
    """

    path: Path
    form: Form
    pieces: tuple[Piece, ...]
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def phenotypes(self) -> tuple[str, ...]:
        """Their names, the primary one first."""
        return tuple(self.form.phenotypes)


def open_file(
    path: Path,
    scratch: Path,
    piece_bytes: int,
    each: Each,
    phenotypes: Sequence[str] | None = (),
) -> GenotypeFile:
    """Find the form of a file, and cut it into pieces.

    Args:
        path: text (plain or gzipped), Parquet, or a workbook with the table on one of its sheets.
        scratch: folder that a gzipped text is unpacked into.
        piece_bytes: size of a piece.
        each: runs a task on all pieces, which together decide on the columns of a plain table.
        phenotypes: which to take, in this order, the first one must be there; empty: all; none:
            no phenotype is read, and the table needs none.

    Raises:
        InputError: an unreadable or empty file, an unknown header, or no such phenotype.
    """
    pieces = pieces_of(path, scratch, piece_bytes)
    form, first, others = _recognised(path, pieces[0])
    pieces = [first, *pieces[1:]]
    if form.header_row >= 0:
        pieces = below(pieces, form.header_row)
    if phenotypes is None:
        return GenotypeFile(path, replace(form, phenotypes={}), tuple(pieces), others)
    counts = each(_count_numbers, [(p, form) for p in pieces]) if form.name == "plain" else []
    form, left_out = choose(path, form, counts, phenotypes)
    return GenotypeFile(path, form, tuple(pieces), left_out | others)


def _recognised(path: Path, piece: Piece) -> tuple[Form, Piece, dict[str, str]]:
    """The form of a file, its first piece, and the sheets that are not read, with the reason."""
    if piece.kind != "sheet":
        rows = read_head(piece)
        if rows.is_empty():
            raise _is_empty(path)
        return recognise(path, rows), piece, {}
    names = sheets_of(path)
    found: tuple[Form, Piece] | None = None
    complaint = _is_empty(path)
    others: dict[str, str] = {}
    for index, name in enumerate(names):
        named = path if index == 0 else Path(f"{path}, sheet '{name}'")
        sheet = replace(piece, sheet=index, named=named)
        rows = read_head(sheet)
        try:
            form = None if rows.is_empty() else recognise(named, rows)
        except InputError as error:
            form = None
            complaint = complaint if others else error
        if form is not None and found is None:
            found = form, sheet
        elif not rows.is_empty():
            others[f"sheet '{name}'"] = "no table" if form is None else "another table"
    if found is None:
        more = f" No other sheet holds a table: {', '.join(names)}." if len(names) > 1 else ""
        raise InputError(f"{complaint}{more}")
    return *found, others


def _is_empty(path: Path) -> InputError:
    return InputError(f"{path}: the file is empty; expected a genotype table. {known_forms()}")


def _count_numbers(piece: Piece, form: Form) -> dict[int, Counts]:
    rows: pl.DataFrame = read_rows(piece)
    return count_numbers(rows, form)
