"""Any table file as rows of text cells: plain or gzipped text, Parquet, Excel workbook.

The first bytes of a file tell its kind, never its name. It is read in pieces that do not
depend on who reads them: ranges of bytes of a text, ranges of rows of a Parquet table.
"""

import contextlib
import io
import itertools
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import fastexcel
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from data_specs.errors import InputError
from data_specs.genotype_tables.sheets import sheet_names, sheet_rows
from data_specs.raw_files import check_text, check_workbook, unpacked
from data_specs.unpacking import ALWAYS_ALLOWED, LARGEST_RATIO, require_file

LISTED = "\x1f"  # stands before each item of a list in one cell, as Parquet has them
# Errors of readers on damaged or malicious Parquet files and workbooks.
_DAMAGED = (
    OSError, ValueError, KeyError, EOFError, RuntimeError, NotImplementedError, MemoryError,
    zlib.error, zipfile.BadZipFile, pa.ArrowException, fastexcel.FastExcelError,
    pl.exceptions.PolarsError, pl.exceptions.PanicException,
)  # fmt: skip
NO_SEPARATOR = "\n"  # a line is one cell
_HEAD = 2**20  # bytes within which a text's header must end
_PARQUET, _ZIP = b"PAR1", b"PK\x03\x04"  # an .xlsx workbook is a zip archive


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a file: bytes of a text or rows of a table, from `start` up to `stop`.

    Attributes:
        named: the file as the user named it, for messages.
        path: the file to read; for a gzipped text it is the unpacked one.
        kind: what it is.
        start, stop: bytes (`text`, at the start of a line) or rows (`parquet`); none is the end.
        sheet: which one of a workbook, from 0.
    """

    named: Path
    path: Path
    kind: Literal["text", "parquet", "sheet"]
    start: int = 0
    stop: int | None = None
    sheet: int = 0


def pieces_of(path: Path, scratch: Path, piece_bytes: int) -> list[Piece]:
    """Cut a file into pieces of about so many bytes; a workbook is one piece.

    Args:
        path: the file.
        scratch: folder that a gzipped text is unpacked into.
        piece_bytes: size of a piece of text; of a Parquet table, of the rows in memory.

    Raises:
        InputError: the file is missing, cut off or damaged.
    """
    require_file(path)
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
        if magic == _PARQUET:
            return _pieces_of_parquet(path, piece_bytes)
        if magic == _ZIP:
            with readable(path, "an .xlsx workbook"):
                check_workbook(path)
            return [Piece(path, path, "sheet")]
        text = unpacked(path, scratch)
        starts = [0]
        with text.open("rb") as stream:
            size = stream.seek(0, io.SEEK_END)
            while starts[-1] + piece_bytes < size:
                stream.seek(starts[-1] + piece_bytes - 1)
                stream.readline()  # on to the start of a line
                starts.append(stream.tell())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    starts = [start for start in starts if start < size] or [0]
    return [
        Piece(path, text, "text", start, stop)
        for start, stop in zip(starts, [*starts[1:], size], strict=True)
    ]


def _pieces_of_parquet(path: Path, piece_bytes: int) -> list[Piece]:
    with readable(path, "a Parquet table"), pq.ParquetFile(path) as file:
        rows = file.metadata.num_rows
        if rows > max(ALWAYS_ALLOWED, LARGEST_RATIO * path.stat().st_size):
            raise InputError(
                f"{path}: {rows:,} rows in {path.stat().st_size:,} bytes; no genotype table has so "
                "many. If you trust it, save it as text."
            )
        head = _parquet_table(path, 0, 1000)
    size = max(1, round(head.estimated_size() / max(1, head.height)))
    step = max(1, piece_bytes // size)
    return [
        Piece(path, path, "parquet", start, min(start + step, rows))
        for start in range(0, max(rows, 1), step)
    ]


def sheets_of(path: Path) -> list[str]:
    """Names of the sheets of a workbook, in order.

    Raises:
        InputError: it is damaged.
    """
    with readable(path, "an .xlsx workbook"):
        return sheet_names(path)


def read_head(piece: Piece) -> pl.DataFrame:
    """Read the first rows of a file from its first piece: at least those that may be its header.

    Raises:
        InputError: the piece is damaged.
    """
    if piece.kind == "sheet":
        return read_rows(piece)
    if piece.kind == "parquet":
        with pq.ParquetFile(piece.path) as file:
            names = file.schema_arrow.names
        rows = pl.DataFrame({"cells": [names]}, schema={"cells": pl.List(pl.String)})
        return rows.filter(pl.col("cells").list.len() > 0).with_row_index("row", offset=1)
    with piece.path.open("rb") as stream:
        head = stream.read(_HEAD)
        whole = not stream.read(1)
    return _lines(replace(piece, stop=len(head) if whole else head.rfind(b"\n") + 1))


def below(pieces: Sequence[Piece], row: int) -> list[Piece]:
    """The rest of a file's pieces below one of its rows, as `read_head` counts rows."""
    if pieces[0].kind == "parquet":
        return list(pieces)
    if pieces[0].kind == "sheet":
        return [replace(pieces[0], start=row)]
    with pieces[0].path.open("rb") as stream:
        for _ in range(row + 1):
            stream.readline()
        begin = stream.tell()
    left = [replace(piece, start=max(begin, piece.start)) for piece in pieces]
    return [piece for piece in left if piece.start < (piece.stop or 0)]


def read_rows(piece: Piece) -> pl.DataFrame:
    """Read all rows of a piece that hold anything: `row` and `line` (text) or `cells` (list[str]).

    `row` counts from the piece's first line of text (0), or is the row of the sheet or of the
    Parquet table (from 1).

    Raises:
        InputError: the piece is damaged.
    """
    if piece.kind == "text":
        return _lines(piece)
    kind = "a Parquet table" if piece.kind == "parquet" else "an .xlsx workbook"
    with readable(piece.named, kind):
        if piece.kind == "parquet":
            return _parquet_rows(piece)
        return sheet_rows(piece.path, piece.sheet).filter(pl.col("row") > piece.start)


def row_in_file(piece: Piece, row: int) -> int:
    """Line of the file (from 1) of a row of a piece of text; rows of tables are that already."""
    if piece.kind != "text":
        return row
    before = 0
    with piece.path.open("rb") as stream:
        while stream.tell() < piece.start:
            before += stream.read(min(2**20, piece.start - stream.tell())).count(b"\n")
    return before + row + 1


@contextlib.contextmanager
def readable(path: Path, kind: str) -> Iterator[None]:
    """Say of a damaged or malicious file that it is, whatever its reader raises."""
    try:
        yield
    except InputError:
        raise
    except _DAMAGED as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{path}: begins like {kind} but cannot be read as one: {said}. "
            "Fetch it again; unpack it first if it is an archive."
        ) from None


def _lines(piece: Piece) -> pl.DataFrame:
    with piece.path.open("rb") as stream:
        stream.seek(piece.start)
        raw = stream.read((piece.stop or 0) - piece.start)
    try:
        lines = pl.read_lines(io.BytesIO(raw), row_index_name="row")
    except pl.exceptions.PolarsError:
        check_text(raw, piece.named, row_in_file(piece, 0))  # says what is wrong, and where
        raise
    lines = lines.with_columns(pl.col("line").str.strip_prefix("\ufeff"))
    return lines.filter(
        pl.col("line").str.contains(r"[^\s,;]")
    )  # as a spreadsheet saves blank rows


def first_cells(rows: pl.DataFrame, count: int) -> list[list[str]]:
    """Stripped cells of the first rows, each line split at the separator that it seems to use."""
    first = rows.head(count)
    if "cells" in rows.columns:
        lists = first["cells"].to_list()
    else:
        lists = [
            cells_of(row, separator_in(row["line"][0]))[0].to_list() for row in first.iter_slices(1)
        ]
    return [[(cell or "").strip() for cell in cells] for cells in lists]


def separator_in(line: str) -> str | None:
    """A tab if there is one, else a comma, else a semicolon, else None for any white space."""
    return next((separator for separator in "\t,;" if separator in line), None)


def cells_of(rows: pl.DataFrame, separator: str | None) -> pl.Series:
    """Split rows `[N]` from `read_rows` into cells, list[str] `[N]`.

    Text is split at `separator` (None: white space). A cell that begins with a double quote goes
    on to the closing one and may hold the separator.
    """
    if "cells" in rows.columns:
        return rows["cells"]
    lines = rows["line"].alias("cells")
    if separator is None:
        return lines.str.extract_all(r"\S+")
    if not lines.str.contains(rf'(?:^|{separator})"').any():
        return lines.str.split(separator)
    text = pl.element().str.strip_suffix(separator)
    unquoted = text.str.strip_prefix('"').str.strip_suffix('"').str.replace_all('""', '"')
    return (
        (lines + separator)
        .str.extract_all(rf'"(?:[^"]|"")*"{separator}|[^{separator}]*{separator}')
        .list.eval(pl.when(text.str.starts_with('"')).then(unquoted).otherwise(text))
    )


def cell(index: int) -> pl.Expr:
    """Pick a cell of `cells` by its position, stripped; null beyond the last."""
    return pl.col("cells").list.get(index, null_on_oob=True).str.strip_chars()


def _parquet_rows(piece: Piece) -> pl.DataFrame:
    table = _parquet_table(piece.path, piece.start, piece.stop or 0)
    columns = [
        _listed(name) if isinstance(dtype, pl.List) else pl.col(name).cast(pl.String)
        for name, dtype in table.schema.items()
    ]
    body = table.select(cells=pl.concat_list(columns))  # numbers keep every digit as text
    return body.with_row_index("row", offset=piece.start + 1)


def _listed(name: str) -> pl.Expr:
    """Each item of a list behind `LISTED`, also the empty one; an empty list is an empty cell."""
    items = pl.col(name).list.eval(LISTED + pl.element().cast(pl.String).fill_null(""))
    return items.list.join("")


def _parquet_table(path: Path, start: int, stop: int) -> pl.DataFrame:
    """Rows from `start` up to `stop`, by Arrow: damaged files can end a process with Polars."""
    batches = []
    with pq.ParquetFile(path) as file:
        str(file.schema_arrow)  # raises where a name is not UTF-8; Polars takes it as given
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        ends = list(itertools.accumulate(sizes))
        groups = [g for g, end in enumerate(ends) if end > start and end - sizes[g] < stop]
        passed = ends[groups[0]] - sizes[groups[0]] if groups else 0
        for batch in file.iter_batches(row_groups=groups):
            batch.validate(full=True)
            first = max(0, start - passed)
            batches.append(batch.slice(first, max(0, stop - passed - first)))
            passed += len(batch)
        table = pa.Table.from_batches(batches, schema=file.schema_arrow)
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame
