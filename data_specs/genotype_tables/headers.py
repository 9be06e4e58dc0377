"""Which published form a genotype table has, by its header, and where its fields then stand."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from data_specs.errors import InputError
from data_specs.genotype_tables.cells import (
    cell,
    cells_of,
    first_cells,
    is_missing,
    number,
    separator_in,
)
from data_specs.tables import GENOTYPE_KEYS

_KUZMIN = {
    "Query strain ID": "query_strain",
    "Query allele name": "",
    "Array strain ID": "array_strain",
    "Array allele name": "",
    "Combined mutant type": "",
    "Raw genetic interaction score (epsilon)": "raw_interaction",
    "Adjusted genetic interaction score (epsilon or tau)": "interaction",
    "P-value": "p_value",
    "Query single/double mutant fitness": "query_fitness",
    "Array single mutant fitness": "array_fitness",
}
_FITNESS_2018 = {
    "Combined mutant fitness": "fitness",
    "Combined mutant fitness standard deviation": "fitness_sd",
}
_FITNESS_2020 = {
    "Double/triple mutant fitness": "fitness",
    "Double/triple mutant fitness standard deviation": "fitness_sd",
}
# Form: header cell -> field ("" is not read). Case and white space of headers do not matter.
FORMS: dict[str, dict[str, str]] = {
    "kuzmin_2018": _KUZMIN | _FITNESS_2018,  # doi:10.1126/science.aao1729, Data S1
    "kuzmin_2020": _KUZMIN | _FITNESS_2020,  # doi:10.1126/science.aaz5667, Tables S1 and S3
    "tau_sga": {  # as the tau-SGA scoring code writes it
        "Query Strain ID": "query_strain",
        "Array Strain ID": "array_strain",
        "Adjusted genetic interaction score (epsilon or tau)": "interaction",
        "P-value": "p_value",
    }
    | _FITNESS_2020,
    "costanzo_2016": {  # doi:10.1126/science.aaf1420, pair-wise interaction format
        "Query Strain ID": "query_strain",
        "Query allele name": "",
        "Array Strain ID": "array_strain",
        "Array allele name": "",
        "Arraytype/Temp": "",
        "Genetic interaction score (ε)": "interaction",
        "P-value": "p_value",
        "Query single mutant fitness (SMF)": "query_fitness",
        "Array SMF": "array_fitness",
        "Double mutant fitness": "fitness",
        "Double mutant fitness standard deviation": "fitness_sd",
    },
}
# In the order in which they are handed on; fitness is relative to the wild type, which is 1.0.
PHENOTYPES = (
    "interaction", "raw_interaction", "p_value", "query_fitness", "array_fitness", "fitness",
    "fitness_sd",
)  # fmt: skip
_RESERVED = {"row", "cells", "problem", "query", *GENOTYPE_KEYS}
_TITLE_ROWS = 5  # a header may stand below a title, within so many first rows


@dataclass(frozen=True, slots=True)
class Form:
    """Where the fields of one file stand; positions count cells from 0."""

    name: str
    header: tuple[str, ...] = ()
    header_row: int = -1  # as `read_head` counts; -1 where there is none
    separator: str | None = None
    strains: tuple[int, int] | None = None  # query, array
    genes: tuple[int, ...] = ()  # `genes`, or `gene_1`, `gene_2`, …
    query: int | None = None
    phenotypes: Mapping[str, int] = field(default_factory=lambda: {"interaction": -1})

    @property
    def primary(self) -> int:
        """Position of the primary phenotype."""
        return next(iter(self.phenotypes.values()))


def known_forms() -> str:
    """What a genotype table may look like, for error messages."""
    headers = "; ".join(f"{name} ({', '.join(columns)})" for name, columns in FORMS.items())
    return (
        f"Known forms, by header: {headers}; plain ('genes' separated by '|', or 'gene_1', "
        "'gene_2', …, with columns of numbers, the first being the phenotype to predict); and "
        "DCell's text without a header, '2 YAL001C YBR123W -0.031' (number of genes, genes, score)."
    )


def recognise(path: Path, rows: pl.DataFrame) -> Form:
    """Find the form of a file by its first rows (`cells.read_head`, not empty).

    The phenotypes of a plain table are told by all its rows (`numeric_columns`) and still missing.

    Raises:
        InputError: none of the known forms; names them all.
    """
    first = first_cells(rows, _TITLE_ROWS)
    for at, header in enumerate(first):
        separator = separator_in(rows["line"][at]) if "line" in rows.columns else None
        form = _form_of(tuple(header))
        if form is not None:
            return replace(form, header_row=rows["row"][at], separator=separator)
    if len(first[0]) > 2 and first[0][0].isdecimal():
        return Form("dcell")
    raise InputError(f"{path}:{rows['row'][0] + 1}: unknown header {first[0]}. {known_forms()}")


def _form_of(header: tuple[str, ...]) -> Form | None:
    cells = [folded(cell) for cell in header]
    for name, columns in FORMS.items():
        fields = {folded(cell): meaning for cell, meaning in columns.items()}
        if sorted(filter(None, cells)) == sorted(fields):
            at = {fields[cell]: position for position, cell in enumerate(cells) if cell}
            return Form(
                name,
                header,
                strains=(at["query_strain"], at["array_strain"]),
                phenotypes={name: at[name] for name in PHENOTYPES if name in at},
            )
    query = cells.index("query") if "query" in cells else None
    if "genes" in cells:
        return Form("plain", header, genes=(cells.index("genes"),), query=query, phenotypes={})
    if "gene_1" in cells:
        genes = [at for at, cell in enumerate(cells) if re.fullmatch(r"gene_\d+", cell)]
        return Form("plain", header, genes=tuple(genes), query=query, phenotypes={})
    return None


def folded(cell: str) -> str:
    """Fold the differences away in which headers of one meaning may differ."""
    return " ".join(cell.split()).casefold().replace("ε", "epsilon")


def count_numbers(rows: pl.DataFrame, form: Form) -> dict[int, tuple[int, int]]:
    """Count, by column that may be a phenotype of a plain table, filled cells and numbers."""
    rows = rows.select(cells_of(rows, form.separator))
    columns = [
        at
        for at, name in enumerate(form.header)
        if name and at not in form.genes and at != form.query
    ]
    return {
        at: rows.select(
            (~is_missing(cell(at))).sum(), numbers=number(cell(at)).is_not_null().sum()
        ).row(0)
        for at in columns
    }


def numeric_columns(
    path: Path, form: Form, counts: Sequence[Mapping[int, tuple[int, int]]]
) -> dict[str, int]:
    """Find the phenotypes of a plain table: named columns whose filled cells are mostly numbers.

    Mostly, so that one odd cell is an error and not a column left out in silence. A column without
    a name (a row index) is no phenotype.

    Args:
        path: for messages.
        form: of the table.
        counts: `count_numbers` of each of its pieces.

    Raises:
        InputError: no such column, or two of one name.
    """
    found: dict[str, int] = {}
    for at in counts[0] if counts else ():
        name = form.header[at]
        filled, numbers = (sum(count[at][i] for count in counts) for i in range(2))
        if numbers and 2 * numbers >= filled:
            if name in found or name in _RESERVED:
                raise InputError(
                    f"{path}: column '{name}' occurs twice or has a name that the genotype table "
                    "needs itself; rename it"
                )
            found[name] = at
    if counts and not found:
        raise InputError(
            f"{path}: no column of numbers among {list(form.header)}; expected a phenotype"
        )
    return found
