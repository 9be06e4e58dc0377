"""The error for a build whose genotypes and hierarchy have no gene in common."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from data_specs.errors import InputError
from data_specs.gene_names import AMBIGUOUS, UNRESOLVED, GeneNames
from data_specs.layout import DataLayout
from data_specs.raw_files import read_text
from pipeline.sources import input_files

COLUMNS = (2, 3, 10, 11)  # of a GAF: the names of a gene
SHOWN = 3


def unmet(layout: DataLayout, genes: Sequence[str]) -> InputError:
    """The error for genotypes none of which touches a term.

    Args:
        layout: of the build; its stages up to `genotypes` are done.
        genes: of the hierarchy, sorted.
    """
    names = pl.read_parquet(layout.genotypes / "gene_names.parquet", glob=False)
    names = names.sort(["rows", "name"], descending=[True, False])
    unknown = names.filter(pl.col("how").is_in([UNRESOLVED, AMBIGUOUS]))
    some = unknown if unknown.height else names
    shown = ", ".join(some["name"].head(SHOWN))
    message = (
        f"no genotype touches a term: none of the {names.height:,} names in the genotypes ({shown}"
        f"{', …' * (some.height > SHOWN)}) is one of the {len(genes):,} genes of the hierarchy "
        f"({', '.join(genes[:SHOWN])}{', …' * (len(genes) > SHOWN)}). "
    )
    return InputError(message + _advice(layout, unknown["name"]))


def _advice(layout: DataLayout, unknown: pl.Series) -> str:
    if unknown.is_empty():
        return (
            "The annotation file has them all, but no term has one of them after filters and "
            "pruning: loosen annotations.* or hierarchy.*."
        )
    rows = pl.read_parquet(layout.annotations / "names.parquet", glob=False).select(
        "name", "gene", "kind"
    )
    names = GeneNames(rows.rows())
    aliases = [name for name in unknown if names.resolve(name).known]
    if aliases:
        return (
            f"{len(aliases):,} of them are other names of genes ({aliases[0]}): set "
            "genotypes.names=resolve."
        )
    given = input_files(layout, "annotations")
    for path in [path for _, path in given]:
        values = _values(path)
        hits = {
            column: [name for name in unknown if name.casefold() in values[column]]
            for column in COLUMNS
        }
        best = max(COLUMNS, key=lambda column: (len(hits[column]), -column))
        if hits[best]:
            return (
                f"Column {best} of {path} has {len(hits[best]):,} of them ({hits[best][0]}): set "
                f"annotations.gene_id_columns=[{best}], and annotations.gene_id_pattern=none "
                "unless they fit the pattern."
            )
    where = f"No column of {given[0][1]} has them. " if given else ""
    return (
        f"{where}Map them to genes with sources.gene_names, a table of two columns, from and "
        "to, or take annotations that name genes as the genotypes do."
    )


def _values(path: Path) -> dict[int, set[str]]:
    """The values of the annotation file in each of the columns, in lower case."""
    values: dict[int, set[str]] = {column: set() for column in COLUMNS}
    for line in read_text(path).split("\n"):
        cells = [] if line.startswith("!") else line.split("\t")
        for column in COLUMNS:
            for value in cells[column - 1 : column]:
                values[column] |= {name.strip().casefold() for name in value.split("|")}
    return {column: found - {""} for column, found in values.items()}
