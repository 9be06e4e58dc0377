"""CX2, and cellmaps_vnn's own reading of it."""

import contextlib
import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_specs.errors import InputError
from data_specs.tables import ROOT
from pipeline.exchange.cx2 import MEMBERS, is_cx2, read, write, write_parent
from pipeline.exchange.topology import Topology
from pipeline.export.command import export, load, of_cell_graph
from tests.conftest import examples
from tests.hierarchies import random_cell_graph
from tests.pipeline.exchange.cellmaps import needs_cellmaps, read_by_cellmaps

PATH = Path("hierarchy.cx2")


def aspect(text: str, name: str) -> list[Any]:
    [found] = [part[name] for part in json.loads(text) if name in part]
    return list(found)


def own_by_difference(hierarchy: Topology) -> dict[str, set[str]]:
    """A term's genes that no child contains: its own ones as cellmaps_vnn sees them."""
    contained = hierarchy.contained()
    return {
        term: contained[term].difference(*(contained[c] for c in hierarchy.children[term]))
        for term in hierarchy.terms
    }


def test_small() -> None:
    hierarchy = Topology.of(
        ("r", "s"), [("s", "r")], [("r", "x"), ("r", "y"), ("s", "x")], {"s": "sub"}
    )
    text = write(hierarchy)
    assert is_cx2(text)
    assert aspect(text, "nodes") == [
        {"id": 0, "v": {"name": "r", MEMBERS: "x y", "dcell_genes": ["x", "y"],
                        "HCX::isRoot": True, "HCX::members": [0, 1]}},
        {"id": 1, "v": {"name": "s", "CD_CommunityName": "sub", MEMBERS: "x",
                        "dcell_genes": ["x"], "HCX::isRoot": False, "HCX::members": [0]}},
    ]  # fmt: skip
    assert aspect(text, "edges") == [{"id": 0, "s": 0, "t": 1, "v": {}}]
    assert [node["v"]["name"] for node in aspect(write_parent(hierarchy), "nodes")] == ["x", "y"]
    assert read(text, PATH) == hierarchy


@given(st.integers(0, 10_000))
def test_without_the_own_list_genes_are_told_by_difference(seed: int) -> None:
    """As in files that others wrote: what is lost is what cellmaps_vnn does not see either."""
    hierarchy = of_cell_graph(random_cell_graph(seed))
    foreign = json.loads(write(hierarchy))
    for node in next(part["nodes"] for part in foreign if "nodes" in part):
        del node["v"]["dcell_genes"]
    found = read(json.dumps(foreign), PATH)
    assert found.terms == hierarchy.terms
    assert found.edges == hierarchy.edges
    assert {t: set(genes) for t, genes in found.direct.items()} == own_by_difference(hierarchy)


def test_aliases_defaults_fragments_and_commas() -> None:
    parts = [
        {"CXVersion": "2.0", "hasFragments": True},
        {"attributeDeclarations": [{"nodes": {"name": {"a": "n", "d": "string"},
                                              MEMBERS: {"d": "string", "v": "x,y"}}}]},
        {"nodes": [{"id": 5, "v": {"n": "top"}}]},
        {"edges": [{"id": 1, "s": 5, "t": 7}]},
        {"nodes": [{"id": 7, "v": {"n": "below", MEMBERS: "x"}}]},
        {"status": [{"success": True}]},
    ]  # fmt: skip
    found = read(json.dumps(parts), PATH)
    assert found.edges == (("below", "top"),)
    assert found.annotations == (("below", "x"), ("top", "y"))


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        ([{"id": 0, "v": {}}], [], "node 0 has no name"),
        ([{"id": 0, "v": {"name": "a"}}, {"id": 1, "v": {"name": "a"}}], [],
         "nodes 0 and 1 are both named 'a'"),
        ([{"id": 0, "v": {"name": "a"}}], [{"id": 0, "s": 0, "t": 3}], "leads to node 3"),
        ([{"id": 0, "v": {"name": "a", "dcell_genes": "x"}}], [], "expected a list of genes"),
        ([{"v": {"name": "a"}}], [], "nodes, element 0 has no 'id'"),
        ([{"id": None, "v": {"name": "a"}}], [], "nodes, element 0 has 'id' None"),
        ([{"id": 0, "v": 3}], [], "node 0: v is 3"),
        ([{"id": [], "v": {"name": "a"}}], [], r"element 0 has 'id' \[\]"),
        (3, [], "nodes is 3; expected a list"),
        ([3], [], "nodes, element 0 is 3; expected a JSON object"),
        ([{"id": 0, "v": {"name": "a"}}, {"id": 0, "v": {"name": "b"}}], [],
         "node 0 is defined twice, as 'a' and 'b'"),
        ([{"id": 0, "v": {"name": "a"}}], [{"id": 4, "s": [0], "t": 0}], "edge 4 has 's'"),
        ([{"id": 0, "v": {"name": "a"}}], [{"id": 4, "s": 0}], "edge 4 has no 't'"),
        ([{"id": 0, "v": {"name": "a"}}], [{"s": 0, "t": "0"}], "edge no. 0 leads to node 0"),
        ([{"id": 0, "v": {"name": "\ud800"}}], [], "node 0: name is .*half of a pair"),
        ([{"id": 0, "v": {"name": "a", "CD_MemberList": "\udfff"}}], [], "node 0: CD_MemberList"),
        ([{"id": 0, "v": {"name": "a", "CD_MemberList": {"x": 1}}}], [], "expected names of gen"),
        ([{"id": 0, "v": {"name": "a", "dcell_genes": [None]}}], [], "dcell_genes is None"),
        ([{"id": 0, "v": {"name": "a", "namespace": ["b"]}}], [], "node 0: namespace is"),
        ([{"id": 0, "v": {"name": " "}}], [], "node 0 has no name"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(nodes: object, edges: object, message: str) -> None:
    text = json.dumps([{"CXVersion": "2.0"}, {"nodes": nodes}, {"edges": edges}])
    with pytest.raises(InputError, match=message):
        read(text, PATH)


@pytest.mark.parametrize("named", ["x", ["x alias y"], [3], {"x": "y"}])
def test_names_of_genes_that_do_not_fit(named: object) -> None:
    text = json.dumps([{"CXVersion": "2.0"}, {"networkAttributes": [{"dcell_gene_names": named}]}])
    with pytest.raises(InputError, match=r"dcell_gene_names is .*; expected a list of 'GENE"):
        read(text, PATH)


def test_members_as_a_list_and_a_network_that_is_not_whole() -> None:
    nodes = [{"id": "n1", "v": {"name": "a", MEMBERS: ["x", "y z", 7]}}]
    parts: list[object] = [{"CXVersion": "2.0"}, {"nodes": nodes}]
    assert read(json.dumps(parts), PATH).annotations == (("a", "7"), ("a", "x"), ("a", "y z"))
    parts.append({"status": [{"success": False, "error": "timeout"}]})
    with pytest.raises(InputError, match="is incomplete: 'timeout'"):
        read(json.dumps(parts), PATH)


ODD = st.sampled_from([None, True, -1, 1.5, "", "x", "\ud800", [], [0], {}, {"id": 0}, [[]]])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(value, dict | list):
        return [path]
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    return [path] * bool(path) + [p for key, part in inside for p in places(part, (*path, key))]


WRITTEN = json.loads(write(of_cell_graph(random_cell_graph(3, terms=4, genes=5))))


@settings(max_examples=examples(300))
@given(
    place=st.sampled_from(places(WRITTEN)), odd=ODD, what=st.sampled_from(["put", "cut", "twice"])
)
def test_any_part_replaced_removed_or_repeated(place: Any, odd: Any, what: str) -> None:
    parts = copy.deepcopy(WRITTEN)
    where = parts
    for key in place[:-1]:
        where = where[key]
    if what == "put":
        where[place[-1]] = odd
    elif what == "cut":
        del where[place[-1]]
    elif isinstance(where, list):
        where.append(copy.deepcopy(where[place[-1]]))
    text = json.dumps(parts)
    with contextlib.suppress(InputError):
        found = read(text, PATH)
        shown = json.dumps(dataclasses.asdict(found), ensure_ascii=False)
        assert shown.encode()
        nodes = [node for part in parts for node in part.get("nodes", [])]
        assert len(found.terms) == len(nodes)  # none vanished


# cellmaps_vnn's reader on an export, in a process of its own: its imports warn.
READER = """
import json, sys, types
from cellmaps_vnn.data_wrapper import TrainingDataWrapper
from cellmaps_vnn.util import load_mapping
folder, out = sys.argv[1:]
wrapper = TrainingDataWrapper.__new__(TrainingDataWrapper)
wrapper.outdir, wrapper.gene_attribute_name = out, "CD_MemberList"
wrapper.gene_id_mapping = load_mapping(folder + "/gene2ind.txt", "genes")
wrapper._load_graph(folder + "/hierarchy.cx2")
print(json.dumps({
    "root": wrapper.root,
    "edges": sorted(wrapper.digraph.edges),
    "sizes": wrapper.term_size_map,
    "direct": {term: sorted(genes) for term, genes in wrapper.term_direct_gene_map.items()},
}))
"""


@needs_cellmaps
def test_cellmaps_reads_the_same_hierarchy(tiny_build: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    export(tiny_build, "cx2", folder)
    hierarchy = load(tiny_build)
    found = read_by_cellmaps(READER, folder, tmp_path)
    terms = hierarchy.downwards()  # a node's number is the place of its term
    assert terms[int(found["root"])] == ROOT
    edges = {(terms[int(child)], terms[int(parent)]) for parent, child in found["edges"]}
    assert edges == set(hierarchy.edges)
    contained = hierarchy.contained()
    assert {terms[int(t)]: size for t, size in found["sizes"].items()} == {
        term: len(own) for term, own in contained.items()
    }
    direct = {
        terms[int(t)]: {hierarchy.genes[g] for g in own} for t, own in found["direct"].items()
    }
    assert direct == {term: own for term, own in own_by_difference(hierarchy).items() if own}
    read_again = read((tmp_path / "hierarchy.cx2").read_text(), PATH)  # what it writes itself
    assert read_again.edges == hierarchy.edges
    assert read_again.annotations == hierarchy.annotations
