"""The tables of cell lines: which genes are altered in which of them (`data_specs.cell_lines`)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_specs.cell_lines import CellFiles, input_name
from data_specs.errors import InputError
from data_specs.raw_files import read_text


def altered_genes(files: CellFiles, channels: Sequence[str]) -> dict[str, list[str]]:
    """The altered inputs of every cell line, by its name.

    Args:
        files: names and tables.
        channels: those that are kept apart; none: a gene is altered if any table says so.

    Raises:
        InputError: a file that is damaged, tables of other sizes than the lists of names, or of
            other channels than these.
    """
    if channels and list(files.alterations) != sorted(channels):
        raise InputError(
            f"tables of {', '.join(files.alterations)}; expected {', '.join(channels)}, as in the "
            "build: cell2CHANNEL.txt of each"
        )
    genes, cells = _numbered(files.genes, "gene"), _numbered(files.cells, "cell line")
    tables = {channel: _table(path, len(cells), len(genes), files)
              for channel, path in files.alterations.items()}  # fmt: skip
    altered: dict[str, list[str]] = {}
    for number, cell in enumerate(cells):
        if channels:
            altered[cell] = [
                input_name(genes[gene], channel)
                for channel in channels for gene in np.flatnonzero(tables[channel][number])
            ]  # fmt: skip
        else:
            any_of = np.logical_or.reduce([table[number] for table in tables.values()])
            altered[cell] = [genes[gene] for gene in np.flatnonzero(any_of)]
    return altered


def _numbered(path: Path, what: str) -> list[str]:
    """The names in the order of their numbers, which are 0, 1, …, each once."""
    names: dict[int, str] = {}
    seen: set[str] = set()
    for line_number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        number, *rest = line.split("\t") if "\t" in line else line.split()
        name = rest[0].strip() if rest else ""
        if not number.strip().isdecimal() or not name or len(rest) > 1:
            raise InputError(
                f"{path}:{line_number}: found '{line.strip()[:60]}'; expected the number of a "
                f"{what} and its name, separated by a tab"
            )
        if int(number) in names or name in seen:
            raise InputError(f"{path}:{line_number}: the {what} '{name}' or its number is there "
                             "twice; expected each once")  # fmt: skip
        names[int(number)] = name
        seen.add(name)
    if sorted(names) != list(range(len(names))) or not names:
        raise InputError(f"{path}: the numbers of the {len(names):,} {what}s are not 0, 1, 2, …")
    return [names[number] for number in range(len(names))]


def _table(path: Path, cells: int, genes: int, files: CellFiles) -> npt.NDArray[np.bool_]:
    """`[cells, genes]` whether a gene is altered."""
    lines = [line for line in read_text(path).split("\n") if line.strip()]
    if len(lines) != cells:
        raise InputError(f"{path}: {len(lines):,} rows; {files.cells} names {cells:,} cell lines")
    table = np.zeros((cells, genes), dtype=np.bool_)
    for row, line in enumerate(lines):
        values = [value.strip() for value in line.split(",")]
        if len(values) != genes:
            raise InputError(
                f"{path}:{row + 1}: {len(values):,} values; {files.genes} names {genes:,} genes"
            )
        for number, value in enumerate(values):
            if value in ("1", "1.0"):
                table[row, number] = True
            elif value not in ("0", "0.0"):
                raise InputError(f"{path}:{row + 1}: value {number + 1} is '{value[:20]}'; "
                                 "expected 0 or 1")  # fmt: skip
    return table
