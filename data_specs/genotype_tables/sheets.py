"""The sheets of an Excel workbook as rows of text cells."""

import re
from pathlib import Path
from typing import Any

import fastexcel
import polars as pl

# A formula's error is no empty cell: a gene that was not found is not one that is not there.
_ERRORS = {
    "NA": "#N/A", "Div0": "#DIV/0!", "Value": "#VALUE!", "Ref": "#REF!", "Num": "#NUM!",
    "Null": "#NULL!", "Name": "#NAME?",
}  # fmt: skip


def sheet_names(path: Path) -> list[str]:
    """Names of the sheets of a workbook, in order."""
    return list(fastexcel.read_excel(path).sheet_names)


def sheet_rows(path: Path, sheet_index: int) -> pl.DataFrame:
    """Read all rows of a sheet that hold anything: `row` (of the sheet, from 1) and `cells`.

    Cells count from the first column that holds anything.
    """
    reader = fastexcel.read_excel(path)

    def sheet(dtypes: Any) -> tuple[pl.DataFrame, list[int]]:
        loaded = reader.load_sheet(sheet_index, header_row=None, skip_rows=0, dtypes=dtypes)
        if not loaded.width or not loaded.height:
            return pl.DataFrame(), []
        batch, errors = loaded.to_arrow_with_errors()
        frame = pl.from_arrow(batch)
        assert isinstance(frame, pl.DataFrame)
        for error in errors.errors if errors and dtypes == "string" else ():
            kind = re.search(r"Error\((\w+)\)", error.detail)
            row, column = error.offset_position
            frame[row, column] = _ERRORS.get(kind[1] if kind else "", "#ERROR!")
        return frame, [column.absolute_index for column in loaded.selected_columns]

    text, names = sheet("string")
    if not text.width:
        return pl.DataFrame(schema={"row": pl.UInt32, "cells": pl.List(pl.String)})
    # As text the reader rounds numbers to nine decimals: columns with numbers are read once more
    # as such, and the text stays only where it says the same or is no number. It counts columns
    # from A where types are given by number.
    rounded = text.select(pl.all().cast(pl.Float64, strict=False))
    numeric = [i for i, column in enumerate(rounded) if column.null_count() < column.len()]
    if numeric:
        exact, _ = sheet({names[i]: "float" for i in numeric})
        for i in numeric:
            name = text.columns[i]
            differs = (exact[name] != rounded[name]).fill_null(False)
            text = text.with_columns(
                pl.when(differs).then(exact[name].cast(pl.String)).otherwise(name).alias(name)
            )
    rows = text.select(cells=pl.concat_list(pl.all())).with_row_index("row", offset=1)
    return rows.filter(pl.col("cells").list.drop_nulls().list.len() > 0)
