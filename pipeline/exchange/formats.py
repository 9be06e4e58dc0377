"""The formats to which a hierarchy is exported, and the fields that each keeps: data only."""

from dataclasses import dataclass
from typing import Literal

FIELDS = ("terms", "edges", "annotations", "names", "namespaces", "gene names")
_STRUCTURE = ("terms", "edges", "annotations")


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        files: names of the files; a build reads the first as its ontology.
        keeps: which of `FIELDS` come back when a build reads the export.
        remark: other losses, or other meanings in the program that reads the format.
        any_id: whether ids may hold white space, ',' and '|', which separate ids elsewhere.
    """

    files: tuple[str, ...]
    keeps: tuple[str, ...]
    remark: str
    any_id: bool = False


FormatName = Literal["drugcell", "topology", "gennet", "cx2", "obo", "graphml"]
FORMATS: dict[FormatName, Format] = {
    "drugcell": Format(("drugcell_ont.txt", "gene2ind.txt"), _STRUCTURE, "a term's name is its id"),
    "topology": Format(
        ("hierarchy.topology", "gene2ind.txt"), _STRUCTURE, "a term's name is its id"
    ),
    "gennet": Format(
        ("topology.csv",),
        _STRUCTURE,
        "an edge over several layers passes through neurons of its own; a term's name is its id",
        any_id=True,
    ),
    "cx2": Format(
        ("hierarchy.cx2", "hierarchy_parent.cx2", "gene2ind.txt"),
        FIELDS,
        "cellmaps_vnn does not see a term's own gene if a child contains it too",
    ),
    "obo": Format(
        ("hierarchy.obo", "annotations.gaf"), FIELDS, "every edge is is_a, all evidence IEA"
    ),
    "graphml": Format(("hierarchy.graphml",), FIELDS, "nothing more", any_id=True),
}


def table() -> str:
    """Files, kept and lost fields of each format, as lines of text for `--help`."""
    lines = []
    for name, format_ in FORMATS.items():
        lost = [field for field in FIELDS if field not in format_.keeps]
        lines.append(f"  {name:9} writes {', '.join(format_.files)}")
        lines.append(f"  {'':9} loses {', '.join(lost) or 'none of the fields'}; {format_.remark}")
    return "\n".join(lines)
