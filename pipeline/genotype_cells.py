"""Any table file as rows of text cells: plain or gzipped text, Parquet, Excel workbook.

What a file is, is told by its first bytes, never by its name.
"""

from pathlib import Path
from typing import Any, TypeVar

import fastexcel
import polars as pl

from data_specs.errors import InputError
from data_specs.files import read_text

MISSING = ("", "nan", "na", "n/a", "null", "none")
Texts = TypeVar("Texts", pl.Expr, pl.Series)
_PARQUET, _ZIP = b"PAR1", b"PK\x03\x04"  # an .xlsx workbook is a zip archive


def read_rows(path: Path) -> pl.DataFrame:
    """Read all rows that hold anything: `row` and either `line` (text) or `cells` (list[str]).

    `row` is the line of a text file, the row of a sheet (both from 1), or the row of a Parquet
    table, whose row 0 holds the column names.

    Raises:
        InputError: the file is missing, cut off, damaged, or of none of these kinds.
    """
    magic = b""
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
        if magic == _PARQUET:
            return _parquet_rows(pl.read_parquet(path, glob=False))
        if magic == _ZIP:
            return _sheet_rows(path)
        lines = pl.read_lines(path, glob=False, row_index_name="row", row_index_offset=1)
    except (OSError, pl.exceptions.PolarsError, fastexcel.FastExcelError) as error:
        if magic not in (_PARQUET, _ZIP):
            read_text(path)  # says what is wrong with the text, and where
        kind = "a Parquet table" if magic == _PARQUET else "an .xlsx workbook"
        raise InputError(
            f"{path}: begins like {kind} but cannot be read as one: {str(error).splitlines()[0]}. "
            "Fetch it again; unpack it first if it is an archive."
        ) from None
    lines = lines.filter(pl.col("line").str.contains(r"\S"))
    return lines.with_columns(pl.col("line").str.strip_prefix("\ufeff"))


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
    """A tab if there is one, else a comma if there is one, else None for any white space."""
    return "\t" if "\t" in line else "," if "," in line else None


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


def cell(at: int) -> pl.Expr:
    """Pick a cell of `cells` by its position, stripped; null beyond the last."""
    return pl.col("cells").list.get(at, null_on_oob=True).str.strip_chars()


def is_missing(text: Texts) -> Texts:
    """Tell cells that hold nothing: blank, or one of the words that programs write for it."""
    return text.is_null() | text.str.contains(rf"^(?i:{'|'.join(MISSING)})$")


def number(text: pl.Expr) -> pl.Expr:
    """Parse a finite float64; null for anything else."""
    value = text.cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def _parquet_rows(table: pl.DataFrame) -> pl.DataFrame:
    header = pl.DataFrame({"cells": [table.columns]}, schema={"cells": pl.List(pl.String)})
    if not table.width:
        return header.clear().with_row_index("row")
    columns = [
        pl.col(name).list.join("|") if isinstance(dtype, pl.List) else pl.col(name).cast(pl.String)
        for name, dtype in table.schema.items()
    ]
    body = table.select(cells=pl.concat_list(columns))  # numbers keep every digit as text
    return pl.concat([header, body]).with_row_index("row")


def _sheet_rows(path: Path) -> pl.DataFrame:
    """Read the first sheet of a workbook."""

    def sheet(dtypes: Any) -> pl.DataFrame:
        return pl.read_excel(
            path, sheet_id=1, has_header=False, drop_empty_rows=False, drop_empty_cols=False,
            raise_if_empty=False, read_options={"skip_rows": 0, "dtypes": dtypes},
        )  # fmt: skip

    text = sheet("string")
    if not text.width:
        return pl.DataFrame(schema={"row": pl.UInt32, "cells": pl.List(pl.String)})
    # As text the reader rounds numbers to nine decimals: columns with numbers are read once more
    # as such, and the text stays only where it says the same or is no number.
    rounded = text.select(pl.all().cast(pl.Float64, strict=False))
    numeric = [i for i, column in enumerate(rounded) if column.null_count() < column.len()]
    if numeric:
        exact = sheet(dict.fromkeys(numeric, "float"))
        for i in numeric:
            name = text.columns[i]
            differs = (exact[name] != rounded[name]).fill_null(False)
            text = text.with_columns(
                pl.when(differs).then(exact[name].cast(pl.String)).otherwise(name).alias(name)
            )
    rows = text.select(cells=pl.concat_list(pl.all())).with_row_index("row", offset=1)
    return rows.filter(pl.col("cells").list.drop_nulls().list.len() > 0)
