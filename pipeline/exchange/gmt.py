"""GMT: gene sets, one a line: a name, a description, and the genes, separated by tabs.

MSigDB, Enrichr and Reactome publish their sets in it, and P-NET reads it. A set's id is its
description where that is an id (`R-HSA-73894`, `GO:0006281`), and the name is its name then; else
the name is its id. A GMT knows no set above another: its sets hang side by side under the root.
"""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from data_specs.errors import InputError
from pipeline.exchange.topology import Topology

_ID = re.compile(r"R-[A-Z]{3}-\d+(?:\.\d+)?|[A-Za-z][A-Za-z0-9_.]*:\d+")
_DESCRIPTION = re.compile(r"|na|none|null|-|>.*|\S+://.*|.*\s.*", re.IGNORECASE)
# What stands where GMT has genes in tables of other kinds: numbers, dates, and ids of other things.
_NO_GENE = re.compile(
    r".*[\s/].*|[-+]?\d*\.\d+(?:e[-+]?\d+)?|(?:19|20)\d\d(?:0\d|1[012])[0-3]\d"
    r"|\d{4}-\d\d-\d\d|(?:GO|PMID|GO_REF|ECO|taxon):.*",
    re.IGNORECASE,
)
_LOOKED_AT = 100  # lines


@dataclass(frozen=True, slots=True)
class GeneSet:
    """A line: the set's id, its name if it has one beside, its genes, and the line's number."""

    term: str
    name: str
    genes: tuple[str, ...]
    line: int


def is_gmt(text: str) -> bool:
    """Whether the lines are sets.

    The first one is, and half of those that follow; and they have different numbers of genes, or
    descriptions as GMT has them (an id, an address, `na`, or words): a table has neither.
    """
    lines = list(itertools.islice((li for li in text.split("\n") if li.strip()), _LOOKED_AT))
    rows = [[cell.strip() for cell in line.rstrip().split("\t")] for line in lines]
    sets = [cells for cells in rows if _is_set(cells)]
    if not sets or not _is_set(rows[0]) or 2 * len(sets) < len(rows):
        return False
    described = (_DESCRIPTION.fullmatch(c[1]) or _ID.fullmatch(c[1]) or c[1] == c[0] for c in sets)
    return len({len(cells) for cells in sets}) > 1 or all(described)


def _is_set(cells: list[str]) -> bool:
    begins = len(cells) > 2 and cells[0][:1] not in ("", "!", "#", "[", "<", "{")
    genes = [cell for cell in cells[2:] if cell]
    return begins and bool(genes) and not any(map(_NO_GENE.fullmatch, genes))


def parse(text: str) -> list[GeneSet]:
    """The sets of a file in its order; a line of fewer than three cells has no genes."""
    sets = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            name, description, *genes = [*(cell.strip() for cell in line.split("\t")), ""]
            by_id = _ID.fullmatch(description) is not None
            term, called = (description, name) if by_id else (name, "")
            sets.append(GeneSet(term, called, tuple(dict.fromkeys(filter(None, genes))), number))
    return sets


def fault_of(gene_set: GeneSet) -> str | None:
    """What is wrong with a set, in words."""
    if not gene_set.term:
        return "the first cell, the name of the set, is empty; expected one"
    if not gene_set.genes:
        return "found no genes; expected a name, a description and genes, separated by tabs"
    return None


def read(text: str, path: Path) -> Topology:
    """Read the sets as a hierarchy without edges.

    Raises:
        InputError: a line without name or genes, or a second set of an id; says where.
    """
    lines: dict[str, int] = {}
    sets = parse(text)
    for gene_set in sets:
        if fault := fault_of(gene_set):
            raise InputError(f"{path}:{gene_set.line}: {fault}. Correct the line.")
        first = lines.setdefault(gene_set.term, gene_set.line)
        if first != gene_set.line:
            raise InputError(
                f"{path}:{gene_set.line}: a second set '{gene_set.term}', after line {first}; "
                "expected one of each name. Rename or unite them."
            )
    return Topology.of(
        terms=lines,
        edges=(),
        annotations=((s.term, gene) for s in sets for gene in s.genes),
        names={s.term: s.name or s.term for s in sets},
    )
