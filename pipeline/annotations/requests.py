"""Requests that annotation files cannot meet: a value with a typo, or one of a column they lack.

A mistyped evidence code would leave in the annotations what should go, and nobody would see it.
"""

import re
from collections.abc import Iterable

import polars as pl

from data_specs.errors import ParameterError
from data_specs.parameters import PRESETS, Parameters, absent
from pipeline.annotations.formats import AnnotationLines


def require_present(key: str, wanted: Iterable[str], found: pl.Series, where: str) -> None:
    """Refuse to be asked for a value that no line has.

    Args:
        key: the parameter that asks.
        wanted: its values.
        found: the value of every line.
        where: the files, for messages.

    Raises:
        ParameterError: names the nearest value that is there, and all that are, the commonest
            first.
    """
    counts = found.drop_nulls().rename("value").value_counts()
    there = counts.sort(["count", "value"], descending=[True, False])["value"].to_list()
    for value in wanted:
        if there and value not in there:
            named = list(filter(None, there))
            raise ParameterError(absent(value, named, key, f"no line of {where}"))


def require_values(
    key: str, lines: pl.DataFrame, column: str, files: Iterable[AnnotationLines]
) -> None:
    """Refuse to be asked for values of a column that a whole file lacks, as GPAD lacks taxa.

    Raises:
        ParameterError: names the file.
    """
    for number, file in enumerate(files):
        own = lines.filter(file=number)
        if own.height and not own.select((pl.col(column) != "").any()).item():
            remedy = (
                "Give its GPI file as sources.gene_info (--gene-info)"
                if file.is_gpad
                else f"Omit {key}"
            )
            raise ParameterError(f"{key} is set, but no line of {file.path} states one. {remedy}.")


def evidence_of_preset(parameters: Parameters) -> frozenset[str]:
    """The evidence codes that the preset asks for."""
    preset = PRESETS.get(parameters.preset or "", {}).get("annotations", {})
    return frozenset([*preset.get("exclude_evidence", ()), *(preset.get("include_evidence") or ())])


def bare_taxon(taxon: str) -> str:
    """The number of a taxon that is written `taxon:9606` or `NCBITaxon:9606`, in any case."""
    return re.sub(r"^(ncbi_?)?taxon:\s*", "", taxon.strip().lower())


def taxon_of_line() -> pl.Expr:
    """The gene's taxon, as `bare_taxon` gives it; a second in column 13 is the host's."""
    first = pl.col("c13").str.split("|").list.first().str.strip_chars().str.to_lowercase()
    return first.str.replace(r"^(ncbi_?)?taxon:\s*", "")


def filled_columns(lines: pl.DataFrame) -> dict[int, str]:
    """The columns that may name genes (2, 3, 11, 10) and have values, each with the first of it."""
    filled = {}
    for column in (2, 3, 11, 10):
        values = lines.filter(pl.col(f"c{column}") != "")[f"c{column}"]
        if not values.is_empty():
            filled[column] = values[0][:40]
    return filled
