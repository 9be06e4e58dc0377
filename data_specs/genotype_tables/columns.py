"""Which columns of a table are its phenotypes; those that are not are named, with the reason."""

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from data_specs.errors import InputError
from data_specs.genotype_tables.cells import cell, cells_of
from data_specs.genotype_tables.headers import Form
from data_specs.genotype_tables.words import is_like_a_number, is_missing
from data_specs.tables import GENOTYPE_KEYS, STATES

_RESERVED = {"row", "cells", "problem", "query", STATES, *GENOTYPE_KEYS}
NOT_NAMED = "not in genotypes.phenotypes"


@dataclass(frozen=True, slots=True)
class Counts:
    """Cells of a column: those that hold anything, and those among them that are like numbers."""

    filled: int
    numbers: int


def candidates(form: Form) -> list[int]:
    """Positions of the columns of a plain table that could be phenotypes."""
    return [
        column
        for column in range(len(form.header))
        if column not in (*form.genes, form.query, form.states)
    ]


def count_numbers(rows: pl.DataFrame, form: Form) -> dict[int, Counts]:
    """Count the kinds of cells in each column of a plain table that could be a phenotype.

    A row of another width than the header is omitted: its cells stand in others' columns.
    """
    rows = rows.select(cells_of(rows, form.separator))
    rows = rows.filter(pl.col("cells").list.len() == len(form.header))
    return {column: _count(rows.select(text=cell(column))) for column in candidates(form)}


def _count(texts: pl.DataFrame) -> Counts:
    """Count the cells `text` of one column; most are numbers, and only the others are looked at."""
    is_number = texts.select(pl.col("text").cast(pl.Float64, strict=False).is_not_nan())
    sure = is_number.to_series().fill_null(False)
    others = texts.filter(~sure).group_by("text").len()
    filled = others.filter(~is_missing(pl.col("text")))
    like = filled.filter(is_like_a_number(pl.col("text")))
    numbers = int(sure.sum())
    return Counts(numbers + sum(filled["len"].to_list()), numbers + sum(like["len"].to_list()))


def choose(
    path: Path, form: Form, counts: Sequence[Mapping[int, Counts]], asked: Sequence[str]
) -> tuple[Form, dict[str, str]]:
    """Choose the phenotypes of a file.

    A column of a plain table is a phenotype if any of its cells is a number, whatever is in the
    others: a cell that is none is an error later, and no reason to leave the column out. One
    without any is text. The first that is not text must have values, because it is predicted.

    Args:
        path: for messages.
        form: of the file.
        counts: `count_numbers` of each of its pieces, of a plain table.
        asked: names of the phenotypes to take, in this order; none: all. The first must be there.

    Returns:
        The form with its phenotypes, and the reason for each column that is omitted.

    Raises:
        InputError: no such column, or none at all, or two of one name.
    """
    if form.name == "plain":
        form, left_out = _of_plain(path, form, counts, asked)
    else:
        left_out = {name: NOT_NAMED for name in form.phenotypes if asked and name not in asked}
    if asked:
        first, *others = asked
        if first not in form.phenotypes:
            known = [*form.phenotypes, *left_out]
            raise InputError(f"{path}: genotypes.phenotypes: {unknown(first, known)}")
        taken = [first, *(name for name in others if name in form.phenotypes)]
        form = replace(form, phenotypes={name: form.phenotypes[name] for name in taken})
    return form, left_out


def unknown(name: str, known: Sequence[str]) -> str:
    """Say that there is no such phenotype, and which is the nearest."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    meant = f"; did you mean '{near[0]}'?" if near else "."
    return f"no column '{name}'{meant} Columns: {', '.join(known) or 'none'}"


def _of_plain(
    path: Path, form: Form, counts: Sequence[Mapping[int, Counts]], asked: Sequence[str]
) -> tuple[Form, dict[str, str]]:
    totals = {
        column: Counts(
            sum(count[column].filled for count in counts),
            sum(count[column].numbers for count in counts),
        )
        for column in candidates(form)
    }
    twice = {name for name, times in Counter(form.header).items() if times > 1}
    found: dict[str, int] = {}
    left_out: dict[str, str] = {}
    for column, total in totals.items():
        name = form.header[column]
        if not name:
            if total.filled:
                left_out[f"column {column + 1}"] = "without a name"
        elif asked and name not in asked:
            left_out[name] = NOT_NAMED
        elif total.numbers or asked:
            if name in twice or name in _RESERVED:
                raise InputError(
                    f"{path}: column '{name}' occurs twice or has a name that the genotype table "
                    "needs itself; rename it, or name the columns to take in genotypes.phenotypes"
                )
            if not total.numbers:
                raise InputError(f"{path}: column '{name}' has no number; {_ADVICE}")
            found[name] = column
        elif total.filled:
            left_out[name] = "text"
        elif found or not any(count.numbers for count in totals.values()):
            left_out[name] = "no value"
        else:
            raise InputError(
                f"{path}: column '{name}' has no value in any row, and it is the first that could "
                f"be the phenotype; {_ADVICE}, or delete it"
            )
    if counts and not found and not asked:
        raise InputError(
            f"{path}: no column of numbers among {list(form.header)}; expected a phenotype"
        )
    return replace(form, phenotypes=found), left_out


_ADVICE = "name the columns to take in genotypes.phenotypes, the one to predict first"
