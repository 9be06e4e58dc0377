"""Strata and heights are longest paths; levels and depths are those of goatools."""

import gzip
from pathlib import Path

import networkx as nx
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_specs.layout import DataLayout
from data_specs.tables import STRATA
from pipeline.ontology.stage import read_ontology
from pipeline.strata import check_strata, levels, stratify
from tests.conftest import TINY

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


def goatools_of(path: Path) -> dict[str, tuple[int, int]]:
    """Level and depth of each live term, by goatools."""
    from goatools.obo_parser import GODag

    dag = GODag(str(path), prt=None)
    return {term.item_id: (term.level, term.depth) for term in dag.values()}


def own_levels(path: Path) -> dict[str, tuple[int, int]]:
    ontology = read_ontology(path)
    live = ontology.terms.filter(obsolete=False)["term"]
    table = levels(live, ontology.edges.select("child", "parent").iter_rows())
    return {term: (level, depth) for term, level, depth in table.iter_rows()}


def test_levels_are_those_of_goatools(tiny_build: Path) -> None:
    found = own_levels(TINY / "tiny.obo")
    assert found == goatools_of(TINY / "tiny.obo")
    assert found["GO:0000005"] == (1, 3)  # a child of the root, and of its grandchild
    table = pl.read_parquet(tiny_build / "strata" / "strata.parquet")
    assert table.columns == STRATA.names
    written = {term: (level, depth) for term, _, _, level, depth in table.iter_rows()}
    assert written == {**{t: found[t] for t in written if t in found}, "GO:ROOT": (None, None)}
    assert len(written) == 7


@given(
    st.lists(st.integers(1, 12).flatmap(lambda c: st.tuples(st.just(c), st.integers(0, c - 1)))),
)
def test_levels_of_any_ontology(
    tmp_path_factory: pytest.TempPathFactory, edges: list[tuple[int, int]]
) -> None:
    parents: dict[int, list[int]] = {term: [] for term in range(13)}
    for child, parent in edges:
        parents[child].append(parent)
    stanzas = [
        f"[Term]\nid: GO:{term:07}\nname: t{term}\nnamespace: biological_process\n"
        + "".join(f"is_a: GO:{parent:07}\n" for parent in sorted(set(above)))
        for term, above in parents.items()
    ]
    path = tmp_path_factory.mktemp("levels") / "any.obo"
    path.write_text("format-version: 1.2\n\n" + "\n".join(stanzas))
    assert own_levels(path) == goatools_of(path)


@pytest.mark.real
def test_levels_of_the_real_ontology(real_build: Path, tmp_path: Path, real_data: Path) -> None:
    text = gzip.decompress((real_data / "go" / "go-2019-01-27.obo.gz").read_bytes())
    (tmp_path / "go.obo").write_bytes(text)
    expected = goatools_of(tmp_path / "go.obo")
    table = pl.read_parquet(DataLayout(real_build).strata / "strata.parquet")
    for term, _, _, level, depth in table.iter_rows():
        assert (level, depth) == expected.get(term, (None, None))
