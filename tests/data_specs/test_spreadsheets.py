"""Cells that no spreadsheet runs, and what is read of them."""

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_specs.spreadsheets import guarded, unguarded


def there(text: str) -> str:
    return str(guarded(pa.array([text]))[0])


def back(cell: str) -> str:
    return str(pl.DataFrame({"cell": [cell]}).select(unguarded(pl.col("cell"))).item())


@pytest.mark.parametrize("text", ["=1+1", "+1", "-syn", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1"])
def test_what_a_spreadsheet_would_run(text: str) -> None:
    assert there(text) == "'" + text


@pytest.mark.parametrize("text", ["", "YAL001C", "A|=B", "'quoted'", "5'-end", "é", "'"])
def test_other_texts(text: str) -> None:
    assert there(text) == text


@given(st.text("'=+-@\t\r\nA|") | st.text())
def test_there_and_back(text: str) -> None:
    assert there(text)[:1] not in (*"=+-@\t\r\n＝＋－＠",)
    assert back(there(text)) == text


def test_nothing_stays_nothing() -> None:
    assert guarded(pa.array([None, "=x"])).to_pylist() == [None, "'=x"]
