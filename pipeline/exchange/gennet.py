"""GenNet's `topology.csv`: a layered network, one row a path from a gene to the top.

Each layer has a column of numbers and one of names (`layer0_node`, `layer0_name`, …); GenNet links
what stands side by side in two neighbouring layers, and takes a link once however many rows repeat
it. Layer 0 holds the genes, and a term lies in the layer above the highest of its children.

A hierarchy also has edges over several layers. What such an edge starts from, a term or a gene, is
passed on: it stands again, under the same name, in each layer between. In GenNet these are neurons
of their own; on reading, a name that already stood in a lower layer is recognised as passed on.
"""

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import networkx as nx

from data_specs.errors import InputError
from pipeline.exchange.topology import Topology

_COLUMN = re.compile(r"layer(0|[1-9][0-9]{0,5})_(node|name)")
FIRST = "layer0_node"
Links = list[dict[str, list[str]]]  # by layer: lower name → sorted names above it


def is_gennet(first_line: str) -> bool:
    """Whether a file begins with the header of a GenNet topology."""
    return FIRST in [column.strip(' \t\r"') for column in first_line.split(",")]


def write(topology: Topology) -> str:
    """The CSV, rows sorted by their numbers.

    Raises:
        InputError: a term without genes and children, or an id that names both a term and a gene.
    """
    links = _links(topology)
    layers = [sorted(layer) for layer in links]
    layers.append(sorted({name for above in links[-1].values() for name in above}))
    index_of = [{name: index for index, name in enumerate(layer)} for layer in layers]
    rows = sorted([index_of[k][name] for k, name in enumerate(path)] for path in _paths(links))
    sink = io.StringIO()
    table = csv.writer(sink, lineterminator="\n")
    table.writerow(f"layer{k}_{what}" for k in range(len(layers)) for what in ("node", "name"))
    for row in rows:
        table.writerow(cell for k, node in enumerate(row) for cell in (node, layers[k][node]))
    return sink.getvalue()


def _links(topology: Topology) -> Links:
    """The links from each layer to the next, those that pass something on included."""
    graph = nx.DiGraph(topology.edges)
    graph.add_nodes_from(topology.terms)
    layer_of = {
        term: height + 1
        for height, terms in enumerate(nx.topological_generations(graph))
        for term in terms
    }
    both = sorted(set(topology.genes) & set(topology.terms))
    if both:
        raise InputError(
            f"'{both[0]}' is the id of a term and of a gene; GenNet tells them apart by name. "
            "Rename one."
        )
    for term in topology.terms:
        if not topology.direct[term] and not topology.children[term]:
            raise InputError(
                f"term '{term}' has neither genes nor children, so no path of a GenNet topology "
                "leads to it. Build with the step 'annotated', which is always on, and export that."
            )
    links: Links = [{} for _ in range(max(layer_of.values()))]

    def link(low: int, name: str, above: str) -> None:
        links[low].setdefault(name, []).append(above)

    arrows = [(gene, 0, term) for term, gene in topology.annotations]
    arrows += [(child, layer_of[child], parent) for child, parent in topology.edges]
    highest: dict[tuple[str, int], int] = {}
    for name, start, target in arrows:
        link(layer_of[target] - 1, name, target)
        key = (name, start)
        highest[key] = max(highest.get(key, 0), layer_of[target])
    for (name, start), top in highest.items():
        for low in range(start, top - 1):
            link(low, name, name)
    return [{name: sorted(above) for name, above in sorted(layer.items())} for layer in links]


def _paths(links: Links) -> Iterable[list[str]]:
    """Few paths from layer 0 to the top that together run through every link."""
    below: list[dict[str, str]] = [{}]  # one name below each, to lead a path down to a gene
    for layer in links:
        below.append({})
        for name, above in layer.items():
            for upper in above:
                below[-1].setdefault(upper, name)
    unseen = [{name: list(reversed(above)) for name, above in layer.items()} for layer in links]
    for start, layer in enumerate(links):
        for name in layer:
            while unseen[start][name]:
                path = [name]
                for low in range(start, 0, -1):
                    path.insert(0, below[low][path[0]])
                for low in range(start, len(links)):
                    left = unseen[low][path[-1]]
                    path.append(left.pop() if left else links[low][path[-1]][0])
                yield path


def read(text: str, path: Path) -> Topology:
    """Read a topology; names make the ids, layer 0 holds the genes, other columns are ignored.

    Raises:
        InputError: a layer without its two columns, a row that is too short or has an empty name,
            or a number with two names; says in which line.
    """
    rows = _rows(text, path)
    header = next(rows, (0, []))[1]
    found = {column: index for index, column in enumerate(header) if _COLUMN.fullmatch(column)}
    if FIRST not in found:
        raise InputError(f"{path}: the header has no column '{FIRST}'; found {header}"[:300])
    layers = 1 + max(int(column[5 : column.index("_")]) for column in found)
    for layer in range(layers):
        for what in ("node", "name"):
            if f"layer{layer}_{what}" not in found:
                raise InputError(f"{path}: no column 'layer{layer}_{what}'; found {header}")
    if layers < 2:
        raise InputError(f"{path}: one layer; expected genes (layer0) and terms above them")
    name_of: dict[tuple[int, str], str] = {}
    links: set[tuple[str, str]] = set()
    genes: set[str] = set()
    names: set[str] = set()
    for line, row in rows:
        where = f"{path}:{line}"
        if len(row) != len(header):
            raise InputError(f"{where}: {len(row)} columns; the header has {len(header)}")
        along = [row[found[f"layer{layer}_name"]] for layer in range(layers)]
        for layer, name in enumerate(along):
            node = row[found[f"layer{layer}_node"]]
            if not name or not node:
                raise InputError(f"{where}: layer{layer} has no name or no number; expected both")
            known = name_of.setdefault((layer, node), name)
            if known != name:
                raise InputError(
                    f"{where}: node {node} of layer{layer} is '{name}' here and '{known}' above; "
                    "expected one name for each number"
                )
        genes.add(along[0])
        names.update(along)
        links.update((low, high) for low, high in itertools.pairwise(along) if low != high)
    for _, high in sorted(links):
        if high in genes:
            raise InputError(
                f"{path}: '{high}' stands in layer0, so it is a gene, and yet something leads to "
                "it; expected another name for a term"
            )
    return Topology.of(
        terms=names - genes,
        edges=(link for link in links if link[0] not in genes),
        annotations=((high, low) for low, high in links if low in genes),
    )


def _rows(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of the rows that are not empty, without the padding around cells."""
    rows = csv.reader(io.StringIO(text))
    try:
        for row in rows:
            if any(cell.strip() for cell in row):
                yield rows.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise InputError(f"{path}:{rows.line_num}: not readable as CSV: {error}") from None
