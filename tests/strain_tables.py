"""Small tables of strains in the long form of Costanzo 2016."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_specs.genotype_tables import FORMS


def write_long_form(path: Path, rows: Sequence[Sequence[Any]]) -> str:
    """Write rows of query, its allele, array, its allele and interaction; return the path."""
    rest = "DMA30\t{}\t0.5\t1\t1\t0.9\t0.02"
    lines = ["\t".join([*own, rest.format(score)]) for *own, score in rows]
    path.write_text("\n".join(["\t".join(FORMS["costanzo_2016"]), *lines]) + "\n")
    return str(path)
