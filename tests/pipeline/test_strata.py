"""Strata and heights are longest paths."""

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.strata import check_strata, stratify

# r ─ a ─ b ─ c,  r ─ d,  r ─ c
TERMS = ["a", "b", "c", "d", "r"]
EDGES = [("a", "r"), ("b", "a"), ("c", "b"), ("d", "r"), ("c", "r")]


def test_from_the_root() -> None:
    table = stratify(TERMS, EDGES)
    assert table.rows() == [("r", 0, 3), ("a", 1, 2), ("d", 1, 0), ("b", 2, 1), ("c", 3, 0)]


def test_from_the_leaves() -> None:
    table = stratify(TERMS, EDGES, "leaves")
    assert table.rows() == [("r", 0, 3), ("a", 1, 2), ("b", 2, 1), ("c", 3, 0), ("d", 3, 0)]


def test_an_edge_inside_a_stratum_is_refused() -> None:
    with pytest.raises(AssertionError, match="c is not deeper"):
        check_strata({"a": 1, "c": 1}, [("c", "a")])


@given(
    st.lists(st.integers(1, 20).flatmap(lambda c: st.tuples(st.just(c), st.integers(0, c - 1)))),
    st.sampled_from(["root", "leaves"]),
)
def test_against_networkx(edges: list[tuple[int, int]], origin: str) -> None:
    linked = {child for child, _ in edges}
    edges = edges + [(child, 0) for child in range(1, 21) if child not in linked]
    table = stratify([str(n) for n in range(21)], [(str(c), str(p)) for c, p in edges], origin)
    stratum = {int(t): s for t, s, _ in table.iter_rows()}
    assert stratum[0] == 0
    assert all(stratum[child] > stratum[parent] for child, parent in edges)
    graph = nx.DiGraph([(p, c) for c, p in edges])
    height = {int(t): h for t, _, h in table.iter_rows()}
    assert height[0] == max(stratum.values()) == nx.dag_longest_path_length(graph)
    for term in graph:
        below = graph.subgraph(nx.descendants(graph, term) | {term})
        assert height[term] == nx.dag_longest_path_length(below)
        above = graph.subgraph(nx.ancestors(graph, term) | {term})
        if origin == "root":
            assert stratum[term] == nx.dag_longest_path_length(above)
