"""Reactome's `ReactomePathwaysRelation.txt`: a line `parent TAB child`, of pathways of all species.

It has no names; those that the annotation files give (a mapping of Reactome, a GMT) are taken.
"""

import re
from pathlib import Path

from data_specs.errors import InputError
from pipeline.ontology.obo import OboFile, Parent, Record

STABLE_ID = re.compile(r"R-[A-Z]{3}-\d+(?:\.\d+)?")


def is_relations(text: str) -> bool:
    """Whether the first line is two stable ids of Reactome."""
    return _pair(next((line for line in text.split("\n") if line.strip()), "")) is not None


def read_relations(text: str, path: Path) -> OboFile:
    """Read pathways and the pathways above them, as `is_a`; the namespace is the species' letters.

    Raises:
        InputError: another line; says which.
    """
    parents: dict[str, list[Parent]] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        pair = _pair(line)
        if pair is None:
            raise InputError(
                f"{path}:{number}: found '{line.strip()[:60]}'; expected two ids of pathways such "
                "as R-HSA-73894, parent and child, separated by a tab."
            )
        above, below = pair
        parents.setdefault(above, [])
        parents.setdefault(below, []).append(Parent("is_a", above, line=number))
    return OboFile({t: Record(t, t, t[2:5], parents=tuple(p)) for t, p in parents.items()})


def _pair(line: str) -> tuple[str, str] | None:
    cells = [cell.strip() for cell in line.split("\t")]
    fits = len(cells) == 2 and all(map(STABLE_ID.fullmatch, cells))
    return (cells[0], cells[1]) if fits else None
