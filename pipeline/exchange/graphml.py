"""GraphML, for Cytoscape, Gephi, igraph and networkx: terms and genes are nodes of one graph.

Edges run from the child to its parent (`kind` is `is_child_of`) and from a gene to its term
(`has_annotation`). A gene has its `symbol` and its `synonyms`, several as `A|B`.
"""

import warnings
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import ParseError

import networkx as nx

from data_specs.errors import InputError
from pipeline.exchange.topology import Topology

CHILD_OF, ANNOTATED = "is_child_of", "has_annotation"
GENE_NAMES = {"symbol": "symbol", "synonyms": "synonym"}  # attributes, and kinds of names


def is_graphml(text: str) -> bool:
    """Whether a text begins like GraphML."""
    return text[:100].lstrip().startswith("<") and "<graphml" in text[:4000]


def write(topology: Topology) -> str:
    """The graph, nodes and edges sorted.

    Raises:
        InputError: an id that names both a term and a gene.
    """
    both = sorted(set(topology.genes) & set(topology.terms))
    if both:
        raise InputError(
            f"'{both[0]}' is the id of a term and of a gene; a node of GraphML is one of them. "
            "Rename one."
        )
    graph = nx.DiGraph()
    for term in topology.terms:
        attributes = {"name": topology.names.get(term), "namespace": topology.namespaces.get(term)}
        graph.add_node(term, kind="term", **{key: v for key, v in attributes.items() if v})
    called = {key: topology.called(kind) for key, kind in GENE_NAMES.items()}
    for gene in topology.genes:
        names = {key: attributes[gene] for key, attributes in called.items() if gene in attributes}
        graph.add_node(gene, kind="gene", **names)
    graph.add_edges_from(topology.edges, kind=CHILD_OF)
    graph.add_edges_from(((gene, term) for term, gene in topology.annotations), kind=ANNOTATED)
    return "\n".join([*nx.generate_graphml(graph), ""])


def read(text: str, path: Path) -> Topology:
    """Read a graph as `write` writes it; other attributes are ignored.

    Raises:
        InputError: not GraphML, GraphML that defines entities, an undirected graph, or a node or
            edge whose `kind` is missing or does not fit.
    """
    if "<!ENTITY" in text:
        raise InputError(f"{path}: defines XML entities, which no hierarchy needs; remove them")
    _refuse_what_is_lost(text, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a key without a type, which is then a string
            graph = nx.parse_graphml(text, force_multigraph=True)
    except (ParseError, nx.NetworkXError, ValueError, LookupError, TypeError, AttributeError) as e:
        raise InputError(f"{path}: not readable as GraphML ({str(e)[:160]})") from None
    if not graph.is_directed():
        raise InputError(f"{path}: an undirected graph; expected edges from child to parent")
    kinds = dict(graph.nodes(data="kind"))
    for node, kind in kinds.items():
        if kind not in ("term", "gene"):
            raise InputError(f"{path}: node '{node}' has kind {kind!r}; expected 'term' or 'gene'")
    edges, annotations = [], []
    for source, target, kind in graph.edges(data="kind"):
        if (kind, kinds[source], kinds[target]) == (CHILD_OF, "term", "term"):
            edges.append((source, target))
        elif (kind, kinds[source], kinds[target]) == (ANNOTATED, "gene", "term"):
            annotations.append((target, source))
        else:
            raise InputError(
                f"{path}: edge '{source}' → '{target}' has kind {kind!r}, from a {kinds[source]} "
                f"to a {kinds[target]}; expected '{CHILD_OF}' from a term to its parent, or "
                f"'{ANNOTATED}' from a gene to its term"
            )
    terms = [node for node, kind in kinds.items() if kind == "term"]
    return Topology.of(
        terms,
        edges,
        annotations,
        names={term: str(graph.nodes[term].get("name", "")) for term in terms},
        namespaces={term: str(graph.nodes[term].get("namespace", "")) for term in terms},
        gene_names=(
            (name.strip(), node, kind)
            for node, its in kinds.items()
            if its == "gene"
            for key, kind in GENE_NAMES.items()
            for name in str(graph.nodes[node].get(key, "")).split("|")
        ),
    )


def _refuse_what_is_lost(text: str, path: Path) -> None:
    """Refuse files that networkx reads in part: a second node of an id, other or nested graphs."""
    nodes: set[str] = set()
    graphs = 0
    try:
        root = ElementTree.fromstring(text)
    except (ParseError, ValueError, LookupError) as error:
        raise InputError(f"{path}: not readable as GraphML ({str(error)[:160]})") from None
    for element in root.iter():
        kind = str(element.tag).rpartition("}")[2]
        graphs += kind == "graph"
        if kind == "node":
            node = element.get("id")
            if not node:
                raise InputError(f"{path}: node {len(nodes) + 1} has no id; expected one")
            if node in nodes:
                raise InputError(
                    f"{path}: node '{node}' is defined twice; expected one for each id"
                )
            nodes.add(node)
    if graphs > 1:
        raise InputError(f"{path}: holds {graphs} graphs; expected one")
