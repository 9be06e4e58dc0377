"""The content of a phenotype's cell: a number, no measurement, or something else."""

import math
import re
from typing import TypeVar

import polars as pl

Texts = TypeVar("Texts", pl.Expr, pl.Series)
# Words of people and programs for no measurement; case does not matter. `inf` is not
# among them: it is the result of a calculation that went wrong, so that somebody should look.
NOT_MEASURED = (
    "", "nan", "-nan", "na", "n/a", "n.a.", "n.a", "<na>", "nd", "n.d.", "n.d", "n/d", "null",
    "none", "nil", "missing", "unknown", "undefined", "not measured", "not determined",
    "not available", "not applicable", "not detected", "no data", "not tested", ".", "..", "...",
    "-", "--", "---", "–", "—", "?", "*", "#n/a", "#na", "#n/a n/a", "#div/0!", "#value!", "#ref!",
    "#num!", "#null!", "#name?", "-nan(ind)", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan",
)  # fmt: skip
# Where a gene could stand, fewer words say that there is none: `ND` may be a gene.
NO_GENE = ("", "nan", "na", "n/a", "null", "none", ".", "-", "--", "–", "—")
# Squares of larger ones and sums over all samples leave float32, in which models are trained.
LARGEST = 1e15
# Text that a person may have meant as a number: 0,91 1.234,5 <0.01 95% 0.5* 0.9±0.1 −1 1e300 -inf
# 0.5h, 12 h. Not 7x or 3B, as wells and strains are called.
_LIKE = (
    r"(?i)^[<>=~≈≤≥]*\s*[+\-−–]?\s*"
    r"(?:\d[\d.,'’\s]*|[.,]\d[\d.,'’\s]*)(?:e\s*[+\-−–]?\s*\d+)?"
    r"\s*(?:[%*†‡]*|(?:±|\+/-|\+-).*)$"
    r"|^[<>=~≈≤≥]*\s*[+\-−–]?\s*(?:\d*[.,]\d+(?:e[+\-]?\d+)?|\d+\s)\s*[\p{L}µ°/²³%^\d\s-]*$"
    r"|^[+\-−–]?(?:inf|infinity|∞)$"
)
_DATE = r"^\d{1,4}\.\d{1,2}\.\d{1,4}$"


def _one_of(words: tuple[str, ...]) -> str:
    return rf"^(?i:{'|'.join(map(re.escape, words))})$"


_NOT_MEASURED, _NO_GENE = _one_of(NOT_MEASURED), _one_of(NO_GENE)


def is_missing(text: Texts) -> Texts:
    """Tell stripped cells that hold no measurement."""
    return text.is_null() | text.str.contains(_NOT_MEASURED)


def is_no_gene(text: Texts) -> Texts:
    """Tell stripped cells that name no gene."""
    return text.is_null() | text.str.contains(_NO_GENE)


def number(text: pl.Expr) -> pl.Expr:
    """Parse float64 of at most `LARGEST` in size; null for anything else."""
    value = text.cast(pl.Float64, strict=False)
    return pl.when(value.abs() <= LARGEST).then(value)


def is_like_a_number(text: pl.Expr) -> pl.Expr:
    """Tell stripped cells that are numbers, or that a person would take for one."""
    like = text.str.contains(_LIKE) & ~text.str.contains(_DATE)
    return text.cast(pl.Float64, strict=False).is_not_null() | like


def expected_for(text: str) -> str:
    """The expected text in place of a cell that is no number."""
    if re.fullmatch(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", text):
        return f"a decimal point in place of the comma, as in {text.replace(',', '.')}"
    try:
        size = abs(float(text))
    except ValueError:
        size = math.nan
    if (math.isfinite(size) and size > LARGEST) or re.fullmatch(r"[+-]?[\d.]+[eE]\+?\d+", text):
        return (
            f"a finite number of at most {LARGEST:g} in size, since squares and sums of larger "
            "ones do not fit float32: rescale the column"
        )
    return "a finite number, or an empty cell or a usual word (NA, ND) where nothing was measured"
