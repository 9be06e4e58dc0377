"""Text in tables that people open in a spreadsheet: none of it runs as a formula there.

A spreadsheet takes a cell for a formula by its first character, quotes or not. So such a cell gets
an apostrophe before it, as OWASP advises against "CSV injection", and loses it where it is read
back. A text with apostrophes before such a character gets one more, so that both ways agree.
"""

from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

if TYPE_CHECKING:
    import polars as pl

_ACTIVE = r"('*[=+\-@\t\r\n＝＋－＠])"  # also as full-width signs, which some spreadsheets take


def guarded(texts: Any) -> Any:
    """Arrow's texts as cells that no spreadsheet takes for a formula; null stays null."""
    return pc.replace_substring_regex(texts, pattern=f"^{_ACTIVE}", replacement=r"'\1")


def unguarded(cells: "pl.Expr") -> "pl.Expr":
    """The texts that `guarded` made cells of; other cells as they are."""
    return cells.str.replace(f"^'{_ACTIVE}", "${1}")
