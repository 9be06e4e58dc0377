"""Ready-made hierarchies: DCell topology text and DrugCell ontology text, read and written."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import networkx as nx

from data_specs.errors import InputError


@dataclass(frozen=True)
class Topology:
    """A hierarchy with its direct annotations, each sorted and without repeats.

    Attributes:
        terms: term ids.
        edges: (child, parent) pairs.
        annotations: (term, gene) pairs.
        lines: (term, gene) entries in the file, repeats counted.
        names: names of the terms that have one.
        namespaces: namespaces of the terms that have one.
        gene_names: symbols and synonyms of its genes, as rows of `data_specs.tables.GENE_NAMES`.
    """

    terms: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]
    lines: int
    names: Mapping[str, str] = field(default_factory=dict)
    namespaces: Mapping[str, str] = field(default_factory=dict)
    gene_names: tuple[tuple[str, str, str], ...] = ()

    @classmethod
    def of(
        cls,
        terms: Iterable[str],
        edges: Iterable[tuple[str, str]],
        annotations: Iterable[tuple[str, str]],
        names: Mapping[str, str] | None = None,
        namespaces: Mapping[str, str] | None = None,
        gene_names: Iterable[tuple[str, str, str]] = (),
    ) -> "Topology":
        """Sort, and omit repeats, empty names, and names of genes that no term has.

        Rows of `gene_names` that are no symbols or synonyms (a mapping's) are omitted, too.
        """
        entries = list(annotations)
        genes = {gene for _, gene in entries}
        further = {
            (name, gene, kind)
            for name, gene, kind in gene_names
            if gene in genes and name not in ("", gene) and kind in ("symbol", "synonym")
        }
        return cls(
            terms=tuple(sorted(set(terms))),
            edges=tuple(sorted(set(edges))),
            annotations=tuple(sorted(set(entries))),
            lines=len(entries),
            names={term: name for term, name in sorted((names or {}).items()) if name},
            namespaces={term: name for term, name in sorted((namespaces or {}).items()) if name},
            gene_names=tuple(sorted(further, key=lambda row: (row[0], row[2], row[1]))),
        )

    @functools.cached_property
    def genes(self) -> tuple[str, ...]:
        """Annotated genes, sorted."""
        return tuple(sorted({gene for _, gene in self.annotations}))

    @functools.cached_property
    def children(self) -> dict[str, list[str]]:
        """Every term's children, sorted."""
        children: dict[str, list[str]] = {term: [] for term in self.terms}
        for child, parent in self.edges:
            children[parent].append(child)
        return children

    @functools.cached_property
    def direct(self) -> dict[str, list[str]]:
        """Every term's directly annotated genes, sorted."""
        direct: dict[str, list[str]] = {term: [] for term in self.terms}
        for term, gene in self.annotations:
            direct[term].append(gene)
        return direct

    @functools.cached_property
    def roots(self) -> list[str]:
        """Terms without a parent, sorted."""
        return sorted(set(self.terms) - {child for child, _ in self.edges})

    def called(self, kind: str) -> dict[str, str]:
        """The names of one kind of the genes that have any, several as `A|B`."""
        names: dict[str, list[str]] = {}
        for name, gene, kind_of_name in self.gene_names:
            if kind_of_name == kind:
                names.setdefault(gene, []).append(name)
        return {gene: "|".join(kind_of_name) for gene, kind_of_name in sorted(names.items())}

    def downwards(self) -> list[str]:
        """Terms in an order in which every parent comes before its children; always the same."""
        graph = nx.DiGraph((parent, child) for child, parent in self.edges)
        graph.add_nodes_from(self.terms)
        return list(nx.lexicographical_topological_sort(graph))

    def contained(self) -> dict[str, set[str]]:
        """Every term's genes and those of all its descendants."""
        contained: dict[str, set[str]] = {}
        for term in reversed(self.downwards()):
            below = (contained[child] for child in self.children[term])
            contained[term] = set(self.direct[term]).union(*below)
        return contained


def is_topology(text: str) -> bool:
    """Whether the text is one of the two formats, by its first line that is not blank."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    return first.startswith("ROOT:") or _is_drugcell(first)


def _is_drugcell(line: str) -> bool:
    columns = _cells(line)
    return len(columns) == 3 and columns[2] in ("default", "gene")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("\t")]


def parse(text: str, path: Path) -> Topology:
    """Parse either format.

    Raises:
        InputError: a line of another form, or a child term that no line defines, with its number.
    """
    first = next((line for line in text.split("\n") if line.strip()), "")
    parser = _parse_drugcell if _is_drugcell(first) else _parse_dcell
    return Topology.of(*parser(text, path))


Pairs = list[tuple[str, str]]


def _parse_dcell(text: str, path: Path) -> tuple[set[str], Pairs, Pairs]:
    """Stanzas `ROOT: term [count]`, `GENES: gene …`, `TERMS: child …` (idekerlab/DCell)."""
    terms: set[str] = set()
    edges: Pairs = []
    genes: Pairs = []
    first_seen: dict[str, int] = {}  # child → line that first names it
    current = None
    for line_number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        tag, _, rest = line.partition(":")
        values = rest.split()
        if tag == "ROOT" and values:
            current = values[0]
            if current in terms:
                raise InputError(
                    f"{path}:{line_number}: term '{current}' has a second ROOT: stanza"
                )
            terms.add(current)
        elif tag == "GENES" and current is not None:
            genes += [(current, gene) for gene in values]
        elif tag == "TERMS" and current is not None:
            edges += [(child, current) for child in values]
            for child in values:
                first_seen.setdefault(child, line_number)
        else:
            raise InputError(
                f"{path}:{line_number}: found '{line.strip()[:60]}'; expected 'ROOT: term', and "
                "after it 'GENES: …' or 'TERMS: …'"
            )
    for child, line_number in first_seen.items():
        if child not in terms:
            raise InputError(f"{path}:{line_number}: child term '{child}' has no ROOT: stanza")
    return terms, edges, genes


def _parse_drugcell(text: str, path: Path) -> tuple[set[str], Pairs, Pairs]:
    """Lines `parent child default` and `term gene gene`, tab-separated (idekerlab/DrugCell)."""
    terms: set[str] = set()
    edges: Pairs = []
    genes: Pairs = []
    for line_number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        term, other, kind = _cells(line) if _is_drugcell(line) else ("", "", "")
        if not term or not other:
            raise InputError(
                f"{path}:{line_number}: found '{line.strip()[:60]}'; expected three tab-separated "
                "columns ending in 'default' (parent, child term) or 'gene' (term, gene)"
            )
        terms.add(term)
        if kind == "gene":
            genes.append((term, other))
        else:
            terms.add(other)
            edges.append((other, term))
    return terms, edges, genes


def to_dcell(topology: Topology) -> str:
    """Stanzas as DCell reads them, parents first; the count is that of contained genes."""
    contained = topology.contained()
    lines = []
    for term in topology.downwards():
        lines.append(f"ROOT: {term} {len(contained[term])}")
        lines.append(" ".join(["GENES:", *topology.direct[term]]))
        lines.append(" ".join(["TERMS:", *topology.children[term]]))
    return "\n".join([*lines, ""])


def to_drugcell(topology: Topology) -> str:
    """Lines `parent child default`, then `term gene gene`, tab-separated, sorted."""
    edges = sorted((parent, child) for child, parent in topology.edges)
    lines = [f"{parent}\t{child}\tdefault" for parent, child in edges]
    lines += [f"{term}\t{gene}\tgene" for term, gene in topology.annotations]
    return "\n".join([*lines, ""])


def to_gene_indices(topology: Topology) -> str:
    """Lines `index gene`, tab-separated: `gene2ind.txt` of DCell, DrugCell and cellmaps_vnn."""
    return "".join(f"{index}\t{gene}\n" for index, gene in enumerate(topology.genes))
