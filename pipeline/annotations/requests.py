"""Requests that an annotation file cannot meet: another format, or a value with a typo.

A mistyped evidence code would leave in the annotations what should go, and nobody would see it.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from data_specs.errors import InputError, ParameterError
from data_specs.parameters import PRESETS, Parameters, absent

_HEADER = re.compile(r"\s*!\s*(gpa|gpad|gpi)-version", re.IGNORECASE)


def refuse_other_formats(text: str, path: Path) -> None:
    """Say of GPAD, which is GAF's sister, and of GPI that they are none.

    Raises:
        InputError: the header names one of them, or the first line has the columns of GPAD.
    """
    found = None
    for line in text.split("\n", 1000)[:1000]:
        if named := _HEADER.match(line):
            kind = "GPI" if named[1].lower() == "gpi" else "GPAD"
            found = f"is {kind} ('{line.strip()[:40]}')"
            break
        if line.strip() and not line.lstrip().startswith("!"):
            cells = [cell.strip() for cell in line.split("\t")]
            if 10 <= len(cells) <= 12 and cells[5].startswith("ECO:"):
                found = f"is GPAD (no header, but {len(cells)} columns, the sixth '{cells[5]}')"
            break
    if found:
        raise InputError(
            f"{path}: {found}; expected GAF 2.0 to 2.2. Take the GAF of the same annotations: it "
            "has the genes' symbols and synonyms too."
        )


def require_present(key: str, wanted: Iterable[str], found: pl.Series, path: Path) -> None:
    """Refuse to be asked for a value that no line has.

    Args:
        key: the parameter that asks.
        wanted: its values.
        found: the value of every line.
        path: the file, for messages.

    Raises:
        ParameterError: names the nearest value that is there, and all that are, the commonest
            first.
    """
    counts = found.drop_nulls().rename("value").value_counts()
    there = counts.sort(["count", "value"], descending=[True, False])["value"].to_list()
    for value in wanted:
        if there and value not in there:
            raise ParameterError(absent(value, there, key, f"no line of {path}"))


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
