"""The format of an annotation file, by its content, and its lines in the form of a GAF."""

import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from data_specs.errors import InputError
from data_specs.raw_files import read_text
from pipeline.annotations import gaf, gpad
from pipeline.annotations.gene_info import NO_GENES

_HEADER = re.compile(r"\s*!\s*(gaf|gpa|gpad|gpi)-version:?\s*([0-9]?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AnnotationLines:
    """The lines of one annotation file.

    Attributes:
        path: the file.
        format: `GAF`, `GPAD 1` or `GPAD 2`.
        table: in the form that `pipeline.annotations.gaf` describes.
        unnamed_genes: genes of a GPAD file that no GPI file has.
        unmapped_evidence: lines by classes of ECO for which no evidence code is known.
    """

    path: Path
    format: str
    table: pl.DataFrame
    unnamed_genes: int = 0
    unmapped_evidence: tuple[tuple[str, int], ...] = ()

    @property
    def is_gpad(self) -> bool:
        """Whether genes have names in a GPI file alone."""
        return self.format.startswith("GPAD")


def read_lines(path: Path, genes: pl.DataFrame = NO_GENES) -> AnnotationLines:
    """Read an annotation file, plain or packed; its content tells the format.

    Args:
        path: the file.
        genes: what GPI files say (`pipeline.annotations.gene_info.GENES`), for GPAD.

    Raises:
        InputError: it is a GPI, which has no annotations; or a version of GPAD that is not known.
    """
    text = read_text(path)
    format_ = _format_of(text, path)
    if format_ == "GAF":
        return AnnotationLines(path, format_, gaf.read(text))
    table = gpad.read(text, int(format_[-1]), genes)
    sound = table.filter(pl.col("fault").is_null())
    unnamed = sound.filter(~pl.col("named")).select("c1", "c2").unique().height
    unmapped = sound.filter(pl.col("c7") == pl.col("stated")).group_by("stated").len()
    return AnnotationLines(
        path, format_, table.drop("named"), unnamed, tuple(unmapped.sort("stated").iter_rows())
    )


def _format_of(text: str, path: Path) -> str:
    for line in text.split("\n", 1000)[:1000]:
        if named := _HEADER.match(line):
            kind, version = named[1].lower(), named[2]
            if kind == "gaf":
                return "GAF"
            if kind == "gpi":
                raise InputError(
                    f"{path}: is GPI ('{line.strip()[:40]}'), which has the names of genes and no "
                    "annotations; expected GAF 2.0 to 2.2, or GPAD 1 or 2. Give the GPI as "
                    "sources.gene_info (--gene-info)."
                )
            if version not in ("1", "2"):
                raise InputError(
                    f"{path}: is GPAD ('{line.strip()[:40]}') of a version that is not known; "
                    "expected GPAD 1 or 2."
                )
            return f"GPAD {version}"
        if line.strip() and not line.lstrip().startswith("!"):
            cells = [cell.strip() for cell in line.split("\t")]
            if gpad.LEAST <= len(cells) <= gpad.MOST and cells[5].upper().startswith("ECO:"):
                return "GPAD 2" if "-" in cells[8] else "GPAD 1"
            break
    return "GAF"
