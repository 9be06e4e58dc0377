"""The error for a build whose genotypes and hierarchy have no gene in common."""

from collections.abc import Sequence

import polars as pl

from data_specs.errors import InputError
from data_specs.gene_names import AMBIGUOUS, UNRESOLVED, GeneNames
from data_specs.layout import DataLayout
from pipeline.annotations import read_gene_info, read_lines
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
    given = [path for _, path in input_files(layout, "annotations")]
    genes = read_gene_info([path for _, path in input_files(layout, "gene_info")])
    for path in given:
        values = _values(read_lines(path, genes).table)
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
    where = f"No column of {' or '.join(map(str, given))} has them. " if given else ""
    return (
        f"{where}Map them to genes with sources.gene_names, a table of two columns, from and "
        "to, or take annotations that name genes as the genotypes do."
    )


def _values(lines: pl.DataFrame) -> dict[int, set[str]]:
    """The values of annotation lines in each of the columns, in lower case."""
    found = {}
    for column in COLUMNS:
        cells = lines[f"c{column}"].drop_nulls().unique()
        found[column] = {name.strip().casefold() for cell in cells for name in cell.split("|")}
    return {column: names - {""} for column, names in found.items()}
