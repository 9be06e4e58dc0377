"""How far measurements are off, by the genotypes that were measured more than once.

A row is the true value of its genotype plus an error, and what is stored the mean of a genotype's
rows. The error's variance σ² is that within genotypes, pooled over all with several rows (one-way
analysis of variance). A stored value has the error σ² Σ m² / n², over its n rows, m of which are
copies of one another. With the variance V between stored values, a perfect prediction of the true
values explains

    R² = 1 − mean(σ² Σ m² / n²) / V,    Pearson = √R².

What is assumed: that errors are independent, and no larger or smaller for genotypes measured more
than once than for the others; and that stored values are not selected. Where a table has only
what passed a threshold, the ceiling is one for such genotypes alone, and errors that led out of the
table are not seen. Rows of one genotype may be of several alleles or strains: what these differ in
counts as error, since a model that knows only genes cannot tell them apart;
where genes with one allele have less of it, the ceiling is too low for these.

Tables that are symmetric list a measurement twice, as query-array and as array-query. Rows of a
genotype that are equal in all that was measured are copies, one measurement given m times.

All sums are exact, as fractions: how a table was cut into parts does not change a bit.
"""

import functools
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from data_specs.measurement_error import OF_STRAINS, is_measured, sd_column

FEW = 20  # genotypes measured more than once, below which they say too little
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over the genotypes that have a value of one phenotype.

    Attributes:
        genotypes: how many.
        values, squares: of the stored values.
        shares: Σ m² / n² of each, by which the error of a row becomes that of the stored value.
        replicated: genotypes with several rows that are no copies.
        repeats: rows of those beyond the first, which are the degrees of freedom of `within`.
        copies: rows that are copies of another.
        within: squared deviations of rows from their genotype's mean.
        with_sd: genotypes all of whose rows have a standard deviation.
        errors: squared error of the stored value of those, by the standard deviations.
    """

    genotypes: int = 0
    values: Fraction = Fraction()
    squares: Fraction = Fraction()
    shares: Fraction = Fraction()
    replicated: int = 0
    repeats: int = 0
    copies: int = 0
    within: Fraction = Fraction()
    with_sd: int = 0
    errors: Fraction = Fraction()

    def __add__(self, other: "Sums") -> "Sums":
        """Those of two parts together."""
        names = [field.name for field in fields(self)]
        return Sums(**{name: getattr(self, name) + getattr(other, name) for name in names})


def exact_sum(values: Floats) -> Fraction:
    """The sum of finite float64 `[N]` without rounding, N below 2²⁶."""
    assert len(values) < 2**26, "so many integers of 27 bits add up exactly in float64"
    if len(values) == 0:
        return Fraction()
    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    least = int(exponent.min())
    high, low = (np.bincount(exponent - least, part) for part in (whole >> 27, whole % 2**27))
    return sum(
        (
            (int(high[digit]) * 2**27 + int(low[digit])) * Fraction(2) ** (least + int(digit) - 53)
            for digit in np.flatnonzero((high != 0) | (low != 0))
        ),
        Fraction(),
    )


def sums_of(rows: pl.DataFrame, phenotypes: Sequence[str]) -> dict[str, Sums]:
    """The sums of one part of the table, by phenotype.

    Args:
        rows: `group`, the number of the row's genotype, and the phenotypes, null where not
            measured; in any order.
        phenotypes: the primary one first.
    """
    told_by = [name for name in phenotypes if name not in OF_STRAINS]
    rows = rows.select("group", *told_by)
    repeated = pl.col("group").is_duplicated()
    counted = rows.filter(repeated).group_by("group", *told_by).agg(times=pl.len())
    # In an order that the values decide: within a genotype sums are rounded.
    parts = [
        counted.with_columns(pl.col("times").cast(pl.Int64)).sort("group", *told_by),
        rows.filter(~repeated).with_columns(times=pl.lit(1, pl.Int64)),
    ]
    distinct = pl.concat(parts).sort("group", maintain_order=True)
    return {
        name: _sums(distinct, name, sd_column(name, phenotypes))
        for name in told_by
        if is_measured(name, phenotypes)
    }


def _sums(distinct: pl.DataFrame, name: str, sd: str | None) -> Sums:
    known = distinct.filter(pl.col(name).is_not_null())
    if known.is_empty():
        return Sums()
    values, times = known[name].to_numpy(), known["times"].to_numpy().astype(np.float64)
    starts = np.flatnonzero(np.diff(known["group"].to_numpy(), prepend=-1))
    rows = np.diff(starts, append=len(values))
    total = np.add.reduceat(times, starts)
    stored = np.add.reduceat(times * values, starts) / total
    center = np.add.reduceat(values, starts) / rows
    within = np.add.reduceat((values - np.repeat(center, rows)) ** 2, starts)
    with_sd, errors = 0, Fraction()
    if sd is not None:
        spread = known[sd].fill_null(math.nan).to_numpy()
        error = np.add.reduceat((times * spread) ** 2, starts) / total**2
        error = error[~np.isnan(error)]
        with_sd, errors = len(error), exact_sum(error)
    return Sums(
        genotypes=len(starts),
        values=exact_sum(stored),
        squares=exact_sum(stored**2),
        shares=exact_sum(np.add.reduceat(times**2, starts) / total**2),
        replicated=int((rows > 1).sum()),
        repeats=int((rows - 1).sum()),
        copies=int((times - 1).sum()),
        within=exact_sum(within[rows > 1]),
        with_sd=with_sd,
        errors=errors,
    )


def account_of(
    parts: Iterable[Mapping[str, Sums]], phenotypes: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """The estimates for each phenotype, in the form of `data_specs.measurement_error`.

    Args:
        parts: `sums_of` each part of the table.
        phenotypes: of the table.

    Returns:
        By phenotype at most two estimates, the replicates' first. `error_variance` is that of one
        row by replicates, and of a stored value by standard deviations; `variance` is V.
    """
    parts = list(parts)
    found = {}
    for name in phenotypes:
        sums = functools.reduce(operator.add, (p[name] for p in parts if name in p), Sums())
        if estimates := list(_estimates(sums, sd_column(name, phenotypes))):
            found[name] = estimates
    return found


def _estimates(sums: Sums, sd: str | None) -> Iterable[dict[str, Any]]:
    if sums.genotypes < 2:
        return
    spread = sums.squares - sums.values**2 / sums.genotypes
    variance = float(spread / (sums.genotypes - 1))
    if variance <= 0:
        return
    if sums.replicated >= FEW:
        error = sums.within / sums.repeats
        yield {
            "source": "replicates",
            "genotypes": sums.replicated,
            "of": sums.genotypes,
            "repeats": sums.repeats,
            "copies": sums.copies,
            "error_variance": float(error),
            **_ceiling(float(error * sums.shares / sums.genotypes), variance),
        }
    if sd is not None and sums.with_sd >= FEW:
        error = sums.errors / sums.with_sd
        yield {
            "source": "sd",
            "column": sd,
            "genotypes": sums.with_sd,
            "of": sums.genotypes,
            "error_variance": float(error),
            **_ceiling(float(error), variance),
        }


def _ceiling(error: float, variance: float) -> dict[str, float]:
    reliability = max(0.0, 1 - error / variance)
    return {
        "variance": variance,
        "ceiling_pearson": math.sqrt(reliability),
        "ceiling_r2": reliability,
    }
