"""OBO graphs JSON: the terms of an ontology as the records that an OBO file gives.

The format: https://github.com/geneontology/obographs. GO, HPO and other ontologies are published
in it (`go.json`, `hp.json`). Ids are addresses there, `http://purl.obolibrary.org/obo/GO_0008150`,
and are read as OBO writes them, `GO:0008150`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from data_specs.errors import InputError
from pipeline.ontology.obo import OboFile, Parent, Record

_OBO = "http://www.geneontology.org/formats/oboInOwl#"
_NAMESPACE, _ALTERNATIVE, _SHORT = (
    f"{_OBO}{name}" for name in ("hasOBONamespace", "hasAlternativeId", "shorthand")
)
_DEFAULT_NAMESPACE, _REPLACED_BY = f"{_OBO}default-namespace", "IAO:0100001"
# Relations that files may name by their address without a node for them.
_RELATIONS = {"BFO:0000050": "part_of", "BFO:0000051": "has_part", "BFO:0000066": "occurs_in",
              "RO:0002211": "regulates", "RO:0002212": "negatively_regulates",
              "RO:0002213": "positively_regulates"}  # fmt: skip
_ADDRESS = re.compile(r"(?:https?|ftp)://\S*[/#](?P<prefix>[A-Za-z][\w.-]*?)_(?P<local>[^_/#\s]+)")


def is_obo_graphs(text: str) -> bool:
    """Whether a text begins like OBO graphs JSON."""
    return text[:100].lstrip().startswith("{") and '"graphs"' in text[:4000]


def read_obo_graphs(text: str, path: Path) -> OboFile:
    """Read the terms of a file of one graph.

    An obsolete node without a name that is the alternative id of another one is that alone, as in
    OBO, where such an id has no stanza.

    Raises:
        InputError: no JSON of this form, several graphs, no term, or a node or edge without an id;
            says which.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable as JSON ({str(error)[:120]})") from None
    try:
        graphs = _list(content, "graphs", "the file")
        if len(graphs) != 1:
            raise _FaultError(f"holds {len(graphs)} graphs; expected one")
        return _file(_dict(graphs[0], "the graph"))
    except _FaultError as fault:
        raise InputError(f"{path}: {fault}") from None


class _FaultError(Exception):
    """A fault of the file, in words without its name."""


def _file(graph: dict[str, Any]) -> OboFile:
    meta = _dict(graph.get("meta") or {}, "the graph's meta")
    default = next(_values(meta, _DEFAULT_NAMESPACE, "the graph"), "default")
    names = {}
    records: dict[str, Record] = {}
    for index, entry in enumerate(_list(graph, "nodes", "the graph")):
        node = _dict(entry, f"node {index}")
        term = _id(node, "id", f"node {index}")
        own = _dict(node.get("meta") or {}, f"{term}: meta")
        if node.get("type") == "PROPERTY":
            label = _text(node.get("lbl") or term, term).replace(" ", "_")
            names[term] = next(_values(own, _SHORT, term), label)
        elif node.get("type") in ("CLASS", None):
            if term in records:
                raise _FaultError(f"'{term}' is defined twice; expected one node for each id")
            records[term] = Record(
                term=term,
                name=" ".join(_text(node.get("lbl") or "", f"{term}: lbl").split()),
                namespace=next(_values(own, _NAMESPACE, term), default),
                obsolete=own.get("deprecated") is True,
                alt_ids=dict.fromkeys(map(_short, _values(own, _ALTERNATIVE, term)), 0),
                replaced_by=tuple(map(_short, _values(own, _REPLACED_BY, term))),
            )
    alternative = {alt for record in records.values() for alt in record.alt_ids}
    stubs = [t for t, r in records.items() if r.obsolete and not r.name and t in alternative]
    for term in stubs:
        del records[term]
    if not records:
        raise _FaultError("no terms; expected nodes of the type CLASS")
    parents: dict[str, list[Parent]] = {}
    for child, parent in _parents(graph, names):
        parents.setdefault(child, []).append(parent)
    records = {t: replace(r, parents=tuple(parents.get(t, ()))) for t, r in records.items()}
    return OboFile(records, _version(meta))


def _parents(graph: dict[str, Any], names: dict[str, str]) -> Iterator[tuple[str, Parent]]:
    for index, entry in enumerate(_list(graph, "edges", "the graph") if "edges" in graph else ()):
        edge = _dict(entry, f"edge {index}")
        child, parent = (_id(edge, end, f"edge {index}") for end in ("sub", "obj"))
        relation = _id(edge, "pred", f"edge {index}")
        relation = names.get(relation) or _RELATIONS.get(relation, relation)
        yield child, Parent(relation, parent, line=0)


def _version(meta: dict[str, Any]) -> str | None:
    """The release in the address of the version: `releases/2024-01-17`."""
    stated = str(meta.get("version") or "")
    found = re.search(r"releases/[^/]+", stated)
    return found[0] if found else stated or None


def _values(meta: dict[str, Any], predicate: str, where: str) -> Iterator[str]:
    """The values of a property, each as text."""
    properties = meta.get("basicPropertyValues") or []
    if not isinstance(properties, list):
        raise _FaultError(f"{where}: basicPropertyValues is no list")
    for entry in properties:
        value = _dict(entry, f"{where}: basicPropertyValues")
        if _short(str(value.get("pred"))) == _short(predicate):
            yield _text(value.get("val") or "", f"{where}: {predicate}")


def _short(address: str) -> str:
    """The id of an address as OBO writes it; any other text as it is."""
    found = _ADDRESS.fullmatch(address)
    return f"{found['prefix']}:{found['local']}" if found else address


def _id(entry: dict[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _FaultError(f"{where} has '{key}' {ascii(value)[:60]}; expected an id")
    return _short(_text(value.strip(), where))


def _text(value: Any, where: str) -> str:
    """A value as text that can be written: JSON's escapes can hold half a character."""
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _FaultError(f"{where} is {ascii(text)[:60]}, half of a pair of surrogates") from None
    return text


def _dict(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _FaultError(f"{where} is {ascii(value)[:60]}; expected a JSON object {{…}}")
    return value


def _list(content: Any, key: str, where: str) -> list[Any]:
    value = _dict(content, where).get(key)
    if not isinstance(value, list):
        raise _FaultError(f"{where} has '{key}' {ascii(value)[:60]}; expected a list […]")
    return value
