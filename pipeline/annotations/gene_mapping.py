"""The mapping of `sources.gene_names`, of names in genotype tables and networks to genes.

A table of two columns, from and to, TSV if its first line has a tab, else CSV; plain or packed. A
first line that says `from` and `to` is a header; else it is a pair, as every other line.
"""

import csv
from pathlib import Path

from data_specs.errors import InputError
from data_specs.raw_files import read_text

HEADER = ("from", "to")


def read_gene_mapping(path: Path) -> dict[str, str]:
    """Read the gene for which each name stands.

    Raises:
        InputError: a line without exactly two names, or a second meaning of a name; says where.
    """
    lines = read_text(path).split("\n")
    first = next((line for line in lines if line.strip()), "")
    separator = "\t" if "\t" in first else ","
    mapping: dict[str, str] = {}
    lines_of: dict[str, int] = {}
    for row, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        cells = _cells(line, separator, f"{path}:{row}")
        if len(cells) != 2 or not all(cells) or not all(map(str.isprintable, cells)):
            raise InputError(
                f"{path}:{row}: found {line.strip()[:60]!r}; expected two names separated by a "
                f"{'tab' if separator == chr(9) else 'comma'}, from and to. Correct the line."
            )
        name, meant = cells
        if line is first and tuple(cell.casefold() for cell in cells) == HEADER:
            continue
        if mapping.setdefault(name, meant) != meant:
            raise InputError(
                f"{path}:{row}: '{name}' is to be '{meant}', but line {lines_of[name]} says "
                f"'{mapping[name]}'; expected one meaning of a name. Remove one of the lines."
            )
        lines_of.setdefault(name, row)
    if not mapping:
        raise InputError(f"{path}: no pair of names; expected two columns, from and to")
    return mapping


def _cells(line: str, separator: str, where: str) -> list[str]:
    if separator == "\t":
        return [cell.strip() for cell in line.split(separator)]
    try:
        [cells] = csv.reader([line.strip()], strict=True, skipinitialspace=True)
    except csv.Error as error:
        raise InputError(f"{where}: not readable as CSV: {error}. Correct the line.") from None
    return [cell.strip() for cell in cells]
