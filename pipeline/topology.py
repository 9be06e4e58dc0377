"""Ready-made hierarchies: DCell topology text and DrugCell ontology text."""

from dataclasses import dataclass
from pathlib import Path

from data_specs.errors import InputError


@dataclass(frozen=True, slots=True)
class Topology:
    """A hierarchy with its direct annotations, each sorted and without repeats."""

    terms: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]  # (child, parent)
    annotations: tuple[tuple[str, str], ...]  # (term, gene)
    lines: int  # (term, gene) entries in the file, repeats counted


def is_topology(text: str) -> bool:
    """Whether the text is one of the two formats, told by its first line that is not blank."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    return first.startswith("ROOT:") or _is_drugcell(first)


def _is_drugcell(line: str) -> bool:
    columns = line.rstrip("\r\n").split("\t")
    return len(columns) == 3 and columns[2] in ("default", "gene")


def parse(text: str, path: Path) -> Topology:
    """Parse either format.

    Raises:
        InputError: a line of another form, or a child term that no line defines, with its number.
    """
    first = next((line for line in text.split("\n") if line.strip()), "")
    parser = _parse_drugcell if _is_drugcell(first) else _parse_dcell
    terms, edges, genes = parser(text, path)
    return Topology(
        terms=tuple(sorted(terms)),
        edges=tuple(sorted(set(edges))),
        annotations=tuple(sorted(set(genes))),
        lines=len(genes),
    )


Pairs = list[tuple[str, str]]


def _parse_dcell(text: str, path: Path) -> tuple[set[str], Pairs, Pairs]:
    """Stanzas `ROOT: term [count]`, `GENES: gene …`, `TERMS: child …` (idekerlab/DCell)."""
    terms: set[str] = set()
    edges: Pairs = []
    genes: Pairs = []
    first_seen: dict[str, int] = {}  # child → line that first names it
    current = None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        tag, _, rest = line.partition(":")
        values = rest.split()
        if tag == "ROOT" and values:
            current = values[0]
            if current in terms:
                raise InputError(f"{path}:{number}: term '{current}' has a second ROOT: stanza")
            terms.add(current)
        elif tag == "GENES" and current is not None:
            genes += [(current, gene) for gene in values]
        elif tag == "TERMS" and current is not None:
            edges += [(child, current) for child in values]
            for child in values:
                first_seen.setdefault(child, number)
        else:
            raise InputError(
                f"{path}:{number}: found '{line.strip()[:60]}'; expected 'ROOT: term', and after "
                "it 'GENES: …' or 'TERMS: …'"
            )
    for child, number in first_seen.items():
        if child not in terms:
            raise InputError(f"{path}:{number}: child term '{child}' has no ROOT: stanza")
    return terms, edges, genes


def _parse_drugcell(text: str, path: Path) -> tuple[set[str], Pairs, Pairs]:
    """Lines `parent child default` and `term gene gene`, tab-separated (idekerlab/DrugCell)."""
    terms: set[str] = set()
    edges: Pairs = []
    genes: Pairs = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        if not _is_drugcell(line):
            raise InputError(
                f"{path}:{number}: found '{line.strip()[:60]}'; expected three tab-separated "
                "columns ending in 'default' (parent, child term) or 'gene' (term, gene)"
            )
        term, other, kind = line.rstrip("\r").split("\t")
        terms.add(term)
        if kind == "gene":
            genes.append((term, other))
        else:
            terms.add(other)
            edges.append((other, term))
    return terms, edges, genes
