"""CX2 (Cytoscape Exchange 2) as `cellmaps_vnn` uses it: HCX, a network of terms that list genes.

An edge runs from the parent (`s`) to the child (`t`), and the one node that no edge enters is the
root. `CD_MemberList` holds all genes that a term contains, separated by spaces; cellmaps_vnn takes
as a term's own those that no child lists. A gene that stands at a term and below it is lost that
way, so the own genes are written once more, as the list `dcell_genes`, which is read here first.
Genes are no nodes of it: their further names are an attribute of the network, `dcell_gene_names`,
a list of `GENE KIND NAME`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_specs.errors import InputError
from pipeline.topology import Topology

MEMBERS, OWN, NAME, NAMESPACE = "CD_MemberList", "dcell_genes", "CD_CommunityName", "namespace"
GENE_NAMES, KINDS = "dcell_gene_names", ("symbol", "synonym")
PARENT = "hierarchy_parent.cx2"


def is_cx2(text: str) -> bool:
    """Whether a text begins like CX2."""
    head = text[:400].lstrip()
    return head.startswith("[") and '"CXVersion"' in head


def write(topology: Topology) -> str:
    """The hierarchy, with the genes as `HCX::members` of the network that `write_parent` gives."""
    number = {term: index for index, term in enumerate(topology.downwards())}
    gene_number = {gene: index for index, gene in enumerate(topology.genes)}
    contained = topology.contained()
    nodes = []
    for term, index in number.items():
        members = sorted(contained[term])
        values: dict[str, Any] = {
            "name": term,
            NAME: topology.names.get(term, ""),
            NAMESPACE: topology.namespaces.get(term, ""),
            MEMBERS: " ".join(members),
            OWN: topology.direct[term],
            "HCX::isRoot": term in topology.roots,
            "HCX::members": [gene_number[gene] for gene in members],
        }
        nodes.append({"id": index, "v": {key: v for key, v in values.items() if v != ""}})
    edges = sorted((number[parent], number[child]) for child, parent in topology.edges)
    hcx = {"ndexSchema": "hierarchy_v0.1", "HCX::interactionNetworkName": PARENT}
    called = [f"{gene} {kind} {name}" for name, gene, kind in topology.gene_names]
    return _network(
        {"name": "hierarchy", **hcx, **({GENE_NAMES: called} if called else {})},
        {
            "name": "string", NAME: "string", NAMESPACE: "string", MEMBERS: "string",
            OWN: "list_of_string", "HCX::isRoot": "boolean", "HCX::members": "list_of_long",
        },
        nodes,
        [{"id": index, "s": s, "t": t, "v": {}} for index, (s, t) in enumerate(edges)],
    )  # fmt: skip


def write_parent(topology: Topology) -> str:
    """The genes as a network without edges: what is known here of how genes interact."""
    symbols = topology.called("symbol")
    genes = [
        {"id": index, "v": {"name": gene, **({"symbol": symbols[gene]} if gene in symbols else {})}}
        for index, gene in enumerate(topology.genes)
    ]
    return _network({"name": "genes"}, {"name": "string", "symbol": "string"}, genes, [])


def _network(
    attributes: Mapping[str, str | list[str]],
    declared: Mapping[str, str],
    nodes: Sequence[Any],
    edges: Sequence[Any],
) -> str:
    declarations = {
        "networkAttributes": {
            key: {"d": "string" if isinstance(value, str) else "list_of_string"}
            for key, value in attributes.items()
        },
        "nodes": {key: {"d": kind} for key, kind in declared.items()},
        "edges": {},
    }
    aspects: dict[str, Sequence[Any]] = {
        "attributeDeclarations": [declarations],
        "networkAttributes": [attributes],
        "nodes": nodes,
        "edges": edges,
    }
    counts = [{"name": name, "elementCount": len(items)} for name, items in aspects.items()]
    parts = [
        {"CXVersion": "2.0", "hasFragments": False},
        {"metaData": counts},
        *({name: items} for name, items in aspects.items()),
        {"status": [{"success": True, "error": ""}]},
    ]
    lines = ",\n".join(json.dumps(part, ensure_ascii=False) for part in parts)
    return f"[{lines}]\n"


def read(text: str, path: Path) -> Topology:
    """Read a hierarchy; a node's `name` makes its id.

    Raises:
        InputError: not CX2, a node without a name or with that of another, or an edge to nowhere.
    """
    try:
        aspects = _aspects(text)
        declared = aspects["attributeDeclarations"][0] if aspects["attributeDeclarations"] else {}
        values = {node["id"]: _values(node, declared.get("nodes", {})) for node in aspects["nodes"]}
        arrows = [(edge["id"], edge["s"], edge["t"]) for edge in aspects["edges"]]
        called: Any = [a[GENE_NAMES] for a in aspects["networkAttributes"] if GENE_NAMES in a]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: not readable as CX2 ({type(error).__name__}: {str(error)[:120]}). Expected "
            "a list of aspects with nodes {id, v} and edges {id, s, t}."
        ) from None
    term_of: dict[Any, str] = {}
    node_of: dict[str, Any] = {}
    for node, own in values.items():
        term = own.get("name")
        if not isinstance(term, str) or not term:
            raise InputError(f"{path}: node {node} has no name; expected the id of its term")
        if term in node_of:
            raise InputError(
                f"{path}: nodes {node_of[term]} and {node} are both named '{term}'; expected one "
                "node for each term"
            )
        term_of[node], node_of[term] = term, node
    for edge, source, target in arrows:
        for end in (source, target):
            if end not in term_of:
                raise InputError(f"{path}: edge {edge} leads to node {end}, which is not defined")
    listed = {node: set(_members(own.get(MEMBERS, ""))) for node, own in values.items()}
    below: dict[Any, set[str]] = {node: set() for node in values}
    for _, source, target in arrows:
        below[source] |= listed[target]
    annotations = []
    for node, own in values.items():
        genes = own[OWN] if OWN in own else sorted(listed[node] - below[node])
        if not isinstance(genes, list):
            raise InputError(f"{path}: node {node}: {OWN} is '{genes}'; expected a list of genes")
        annotations += [(term_of[node], str(gene)) for gene in genes]
    return Topology.of(
        terms=node_of,
        edges=((term_of[target], term_of[source]) for _, source, target in arrows),
        annotations=annotations,
        names={term_of[node]: str(own.get(NAME, "")) for node, own in values.items()},
        namespaces={term_of[node]: str(own.get(NAMESPACE, "")) for node, own in values.items()},
        gene_names=_gene_names(called[0] if called else [], path),
    )


def _gene_names(called: Any, path: Path) -> list[tuple[str, str, str]]:
    rows = []
    for text in called if isinstance(called, list) else [called]:
        gene, _, rest = str(text).partition(" ")
        kind, _, name = rest.partition(" ")
        if kind not in KINDS:
            raise InputError(
                f"{path}: {GENE_NAMES} holds '{text}'; expected a list of 'GENE symbol NAME' and "
                "'GENE synonym NAME'"
            )
        rows.append((name, gene, kind))
    return rows


def _aspects(text: str) -> dict[str, list[Any]]:
    """All elements by aspect; a file may hold an aspect in several fragments."""
    names = ("attributeDeclarations", "networkAttributes", "nodes", "edges")
    aspects: dict[str, list[Any]] = {name: [] for name in names}
    for part in json.loads(text):
        for name, items in part.items():
            if name in aspects:
                aspects[name] += items
    return aspects


def _values(node: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """A node's attributes under their full names, with the defaults that are declared."""
    full = {rule["a"]: name for name, rule in declared.items() if "a" in rule}
    defaults = {name: rule["v"] for name, rule in declared.items() if "v" in rule}
    return defaults | {full.get(key, key): value for key, value in node.get("v", {}).items()}


def _members(value: Any) -> list[str]:
    """Genes as cellmaps_vnn splits them: at commas where there is one, else at white space."""
    parts = str(value).split(",") if "," in str(value) else str(value).split()
    return [part.strip() for part in parts if part.strip()]
