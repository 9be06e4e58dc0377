"""GraphML."""

from pathlib import Path

import networkx as nx
import pytest

from data_specs.errors import InputError
from pipeline.exchange.graphml import is_graphml, read, write
from pipeline.exchange.topology import Topology

PATH = Path("hierarchy.graphml")
SMALL = Topology.of(
    ["T:1", "T:2"], [("T:2", "T:1")], [("T:1", "x"), ("T:2", "y")],
    {"T:1": "<all> & 'more'"}, {"T:2": "process"},
    [("ABC1", "y", "symbol"), ("B <2>", "y", "synonym"), ("C3", "y", "synonym")],
)  # fmt: skip


def test_round_trip() -> None:
    text = write(SMALL)
    assert is_graphml(text)
    assert read(text, PATH) == SMALL


def test_networkx_reads_it() -> None:
    graph = nx.parse_graphml(write(SMALL))
    assert graph.nodes["T:1"] == {"kind": "term", "name": "<all> & 'more'"}
    assert graph.nodes["y"] == {"kind": "gene", "symbol": "ABC1", "synonyms": "B <2>|C3"}
    assert dict(graph.adjacency())["y"] == {"T:2": {"kind": "has_annotation"}}
    assert nx.is_directed_acyclic_graph(graph)


def test_a_gene_named_like_a_term() -> None:
    with pytest.raises(InputError, match="'a' is the id of a term and of a gene"):
        write(Topology.of("a", [], [("a", "a")]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("</graph>", ""), "not readable as GraphML"),
        (("<graphml ", '<!DOCTYPE x [<!ENTITY a "b">]><graphml '), "defines XML entities"),
        (('<data key="d0">gene</data>', ""), "node 'x' has kind None"),
        (('"directed"', '"undirected"'), "an undirected graph; expected edges from child"),
        (('<node id="y">', '<node id="x">'), "node 'x' is defined twice"),
        (('<node id="y">', "<node>"), "node . has no id"),
        (("</graph>", '</graph><graph edgedefault="directed"/>'), "holds 2 graphs; expected one"),
        (("</node>", '<graph edgedefault="directed"/></node>'), "graphs; expected one"),
        ((">gene<", ">thing<"), "node 'x' has kind 'thing'"),
        ((">is_child_of<", ">has_annotation<"), "edge 'T:2' → 'T:1' has kind 'has_annotation'"),
    ],
)
def test_what_does_not_fit_is_named(change: tuple[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(write(SMALL).replace(*change), PATH)
