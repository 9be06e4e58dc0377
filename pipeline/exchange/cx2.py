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
from pipeline.exchange.topology import Topology

MEMBERS, OWN, NAME, NAMESPACE = "CD_MemberList", "dcell_genes", "CD_CommunityName", "namespace"
GENE_NAMES, KINDS = "dcell_gene_names", ("symbol", "synonym")
PARENT = "hierarchy_parent.cx2"


def is_cx2(text: str) -> bool:
    """Whether a text begins like CX2."""
    head = text[:400].lstrip()
    return head.startswith("[") and '"CXVersion"' in head


def write(topology: Topology) -> str:
    """The hierarchy, with the genes as `HCX::members` of the network that `write_parent` gives."""
    index_of = {term: index for index, term in enumerate(topology.downwards())}
    gene_number = {gene: index for index, gene in enumerate(topology.genes)}
    contained = topology.contained()
    nodes = []
    for term, index in index_of.items():
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
    edges = sorted((index_of[parent], index_of[child]) for child, parent in topology.edges)
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
    """The genes as a network without edges, since no interactions of genes are known here."""
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
        InputError: not CX2; a node without an id or a name, or with that of another; an edge to
            nowhere; an attribute of another type. Says of which node or edge.
    """
    try:
        aspects = _aspects(json.loads(text))
        declared = _declared(aspects["attributeDeclarations"])
        nodes = _nodes(aspects["nodes"], declared)
        arrows = _arrows(aspects["edges"], nodes)
        called = [a[GENE_NAMES] for a in aspects["networkAttributes"] if GENE_NAMES in a]
        term_of = _terms(nodes)
        names = {
            key: {
                term_of[n]: _word(own.get(key, ""), f"node {n}: {key}") for n, own in nodes.items()
            }
            for key in (NAME, NAMESPACE)
        }
        return Topology.of(
            terms=term_of.values(),
            edges=((term_of[target], term_of[source]) for source, target in arrows),
            annotations=_annotations(nodes, arrows, term_of),
            names=names[NAME],
            namespaces=names[NAMESPACE],
            gene_names=_gene_names(called[0] if called else []),
        )
    except _FaultError as fault:
        raise InputError(f"{path}: {fault}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: not readable as CX2 ({type(error).__name__}: {str(error)[:120]}). Expected "
            "a list of aspects with nodes {id, v} and edges {id, s, t}."
        ) from None


class _FaultError(Exception):
    """A fault of the file, in words without its name."""


Id = int | str
_GENES = "a list of genes"
Values = dict[str, Any]


def _aspects(parts: Any) -> dict[str, list[Values]]:
    """All elements by aspect; a file may hold an aspect in several fragments."""
    names = ("attributeDeclarations", "networkAttributes", "nodes", "edges", "status")
    aspects: dict[str, list[Values]] = {name: [] for name in names}
    for index_of, part in enumerate(_list(parts, "the file")):
        for name, items in _dict(part, f"part {index_of}").items():
            for index, item in enumerate(_list(items, name) if name in aspects else ()):
                aspects[name].append(_dict(item, f"{name}, element {index}"))
    for status in aspects["status"]:
        if status.get("success") is False:
            raise _FaultError(
                f"says in its status that it is incomplete: {str(status.get('error'))[:120]!r}"
            )
    return aspects


def _declared(declarations: list[Values]) -> dict[str, Values]:
    """The declared attributes of nodes."""
    declared: dict[str, Values] = {}
    for part in declarations:
        for name, rule in _dict(part.get("nodes", {}), "attributeDeclarations: nodes").items():
            declared[name] = _dict(rule, f"attributeDeclarations: {name}")
    return declared


def _nodes(elements: list[Values], declared: Mapping[str, Values]) -> dict[Id, Values]:
    """The attributes of nodes under their full names, with the defaults that are declared."""
    full = {rule["a"]: name for name, rule in declared.items() if isinstance(rule.get("a"), str)}
    defaults = {name: rule["v"] for name, rule in declared.items() if "v" in rule}
    nodes: dict[Id, Values] = {}
    for index, element in enumerate(elements):
        node = _id(element, "id", f"nodes, element {index}")
        attributes = _dict(element.get("v", {}), f"node {node}: v")
        values = defaults | {full.get(key, key): value for key, value in attributes.items()}
        if node in nodes:
            both = " and ".join(repr(each.get("name")) for each in (nodes[node], values))
            raise _FaultError(
                f"node {node} is defined twice, as {both}; expected one node for each id"
            )
        nodes[node] = values
    return nodes


def _arrows(elements: list[Values], nodes: Mapping[Id, Values]) -> list[tuple[Id, Id]]:
    arrows = []
    for index, element in enumerate(elements):
        edge = _id(element, "id", f"edges, element {index}") if "id" in element else f"no. {index}"
        ends = [_id(element, end, f"edge {edge}") for end in ("s", "t")]
        for end in ends:
            if end not in nodes:
                raise _FaultError(f"edge {edge} leads to node {end}, which is not defined")
        arrows.append((ends[0], ends[1]))
    return arrows


def _terms(nodes: Mapping[Id, Values]) -> dict[Id, str]:
    node_of: dict[str, Id] = {}
    for node, attributes in nodes.items():
        term = attributes.get("name")
        if not isinstance(term, str) or not term.strip():
            raise _FaultError(f"node {node} has no name; expected the id of its term")
        _word(term, f"node {node}: name")
        if term in node_of:
            raise _FaultError(
                f"nodes {node_of[term]} and {node} are both named '{term}'; expected one node for "
                "each term"
            )
        node_of[term] = node
    return {node: term for term, node in node_of.items()}


def _annotations(
    nodes: Mapping[Id, Values], arrows: Sequence[tuple[Id, Id]], term_of: Mapping[Id, str]
) -> list[tuple[str, str]]:
    listed = {n: set(_members(values.get(MEMBERS), f"node {n}")) for n, values in nodes.items()}
    below: dict[Id, set[str]] = {node: set() for node in nodes}
    for source, target in arrows:
        below[source] |= listed[target]
    annotations = []
    for node, values in nodes.items():
        where = f"node {node}: {OWN}"
        genes = sorted(listed[node] - below[node])
        if OWN in values:
            genes = [_word(gene, where, _GENES) for gene in _list(values[OWN], where, _GENES)]
        if "" in genes:
            raise _FaultError(f"{where} holds an empty name; expected {_GENES}")
        annotations += [(term_of[node], gene) for gene in genes]
    return annotations


def _members(value: Any, where: str) -> list[str]:
    """Genes as cellmaps_vnn splits them: at commas where there is one, else at white space."""
    if isinstance(value, list):
        parts = [_word(gene, f"{where}: {MEMBERS}", "names of genes") for gene in value]
    else:
        text = "" if value is None else _word(value, f"{where}: {MEMBERS}", "names of genes")
        parts = text.split(",") if "," in text else text.split()
    return [part.strip() for part in parts if part.strip()]


def _gene_names(called: Any) -> list[tuple[str, str, str]]:
    rows = []
    for text in called if isinstance(called, list) else [called]:
        expected = "a list of 'GENE symbol NAME' and 'GENE synonym NAME'"
        gene, _, rest = _word(text, GENE_NAMES, expected).partition(" ")
        kind, _, name = rest.partition(" ")
        if kind not in KINDS:
            raise _FaultError(f"{GENE_NAMES} is {_shown(text)}; expected {expected}")
        rows.append((name, gene, kind))
    return rows


def _shown(value: Any) -> str:
    return ascii(value)[:60]


def _dict(value: Any, where: str) -> Values:
    if not isinstance(value, dict):
        raise _FaultError(f"{where} is {_shown(value)}; expected a JSON object {{…}}")
    return value


def _list(value: Any, where: str, expected: str = "a list […]") -> list[Any]:
    if not isinstance(value, list):
        raise _FaultError(f"{where} is {_shown(value)}; expected {expected}")
    return value


def _id(element: Values, key: str, where: str) -> Id:
    value = element.get(key)
    if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
        return value
    found = f"has '{key}' {_shown(value)}" if key in element else f"has no '{key}'"
    raise _FaultError(f"{where} {found}; expected the number of a node or edge")


def _word(value: Any, where: str, expected: str = "text") -> str:
    """A text or a whole number, as text that can be written."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise _FaultError(f"{where} is {_shown(value)}; expected {expected}")
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _FaultError(
            f"{where} is {_shown(text)}, half of a pair of surrogates, no text"
        ) from None
    return text
