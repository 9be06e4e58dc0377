"""The format of an annotation file, by its content, and its lines in the form of a GAF."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from data_specs.errors import InputError
from data_specs.raw_files import read_text
from pipeline.annotations import gaf, gpad, pathways, phenotypes
from pipeline.annotations.gene_info import NO_GENES, GeneInfo
from pipeline.exchange import gmt

_HEADER = re.compile(r"\s*!\s*(gaf|gpa|gpad|gpi)-version:?\s*([0-9]?)", re.IGNORECASE)

# The formats by name, and what a message calls them.
FORMATS = {
    "GAF": "GAF 2.0 to 2.2",
    "GPAD 1": "GPAD 1.x",
    "GPAD 2": "GPAD 2.0",
    "GMT": "GMT, a name, a description and genes",
    "Reactome": "a mapping of Reactome with 6 columns",
    "HPO genes": "genes_to_phenotype.txt of HPO",
    "HPO diseases": "phenotype.hpoa of HPO",
}


@dataclass(frozen=True, slots=True)
class AnnotationLines:
    """The lines of one annotation file.

    Attributes:
        path: the file.
        format: one of `FORMATS`.
        table: in the form that `pipeline.annotations.gaf` describes.
        unnamed_genes: genes of a GPAD file that no GPI file has.
        unmapped_evidence: lines by classes of ECO for which no evidence code is known.
        term_names: names of terms, of formats that have them beside their ids.
    """

    path: Path
    format: str
    table: pl.DataFrame
    unnamed_genes: int = 0
    unmapped_evidence: tuple[tuple[str, int], ...] = ()
    term_names: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_gpad(self) -> bool:
        """Whether genes have names in a GPI file alone."""
        return self.format.startswith("GPAD")


def read_lines(path: Path, genes: GeneInfo = NO_GENES) -> AnnotationLines:
    """Read an annotation file, plain or packed; its content tells the format.

    Args:
        path: the file.
        genes: what further files say of genes, for GPAD and for diseases.

    Raises:
        InputError: it is a GPI, which has no annotations; or a version of GPAD that is not known.
    """
    text = read_text(path)
    format_ = _format_of(text, path)
    if format_.startswith("GPAD"):
        return _gpad(text, path, format_, genes)
    names: Mapping[str, str] = {}
    if format_ == "GMT":
        table, names = pathways.read_gmt(text)
    elif format_ == "Reactome":
        table, names = pathways.read_mapping(text)
    elif format_ == "HPO genes":
        table = phenotypes.read_genes(text)
    elif format_ == "HPO diseases":
        table = phenotypes.read_diseases(text, genes.causes)
    else:
        table = gaf.read(text)
    return AnnotationLines(path, format_, table, term_names=names)


def _gpad(text: str, path: Path, format_: str, genes: GeneInfo) -> AnnotationLines:
    table = gpad.read(text, int(format_[-1]), genes.products)
    sound = table.filter(pl.col("fault").is_null())
    unnamed = sound.filter(~pl.col("named")).select("c1", "c2").unique().height
    unmapped = sound.filter(pl.col("c7") == pl.col("stated")).group_by("stated").len()
    return AnnotationLines(
        path, format_, table.drop("named"), unnamed, tuple(unmapped.sort("stated").iter_rows())
    )


def _format_of(text: str, path: Path) -> str:
    for line in text.split("\n", 1000)[:1000]:
        if named := _HEADER.match(line):
            return _of_header(line, named, path)
        if of_hpo := phenotypes.format_of(line):
            return of_hpo
        if line.strip() and line.lstrip()[0] not in "!#":
            cells = [cell.strip() for cell in line.split("\t")]
            if gpad.LEAST <= len(cells) <= gpad.MOST and cells[5].upper().startswith("ECO:"):
                return "GPAD 2" if "-" in cells[8] else "GPAD 1"
            if pathways.is_mapping(cells):
                return "Reactome"
            return "GMT" if gmt.is_gmt(text) else "GAF"
    return "GAF"


def _of_header(line: str, named: re.Match[str], path: Path) -> str:
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
            f"{path}: is GPAD ('{line.strip()[:40]}') of a version that is not known; expected "
            "GPAD 1 or 2."
        )
    return f"GPAD {version}"
