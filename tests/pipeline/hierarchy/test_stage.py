"""Pruning, step by step and by its laws."""

import dataclasses
import subprocess
import sys
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_specs.errors import InputError
from data_specs.parameters.sections import Hierarchy as HierarchyConfig
from data_specs.tables import ROOT
from pipeline.hierarchy.stage import (
    Hierarchy,
    assemble,
    drop_redundant,
    keep_annotated,
    keep_containing,
    prune,
    reduce_transitively,
)

#     a        f
#    / \       |
#   b   c      g
#    \ / \
#     d   e
EDGES = [("b", "a"), ("c", "a"), ("d", "b"), ("d", "c"), ("e", "c"), ("g", "f")]


def hierarchy(genes: dict[str, str], edges: list[tuple[str, str]] = EDGES) -> Hierarchy:
    """Genes are letters: {"d": "xy"} annotates x and y to d."""
    return assemble("abcdefg", edges, [(t, gene) for t, own in genes.items() for gene in own])


def genes_of(built: Hierarchy, bits: int) -> str:
    return "".join(g for i, g in enumerate(built.genes) if bits >> i & 1)


def edges_of(built: Hierarchy) -> set[tuple[str, str]]:
    return {(child, parent) for child, own in built.parents.items() for parent in own}


def test_terms_without_parents_hang_under_the_root() -> None:
    built = hierarchy({"d": "xy", "c": "z"})
    assert built.parents["a"] == built.parents["f"] == {ROOT}
    assert genes_of(built, built.contained["a"]) == "xyz"
    assert genes_of(built, built.contained["b"]) == "xy"
    assert built.contained["g"] == 0
    assert built.size() == {"terms": 8, "edges": 8, "annotations": 3, "genes": 3}


def test_annotated_removes_terms_without_genes() -> None:
    assert set(keep_annotated(hierarchy({"d": "x"})).parents) == {ROOT, "a", "b", "c", "d"}


def test_containment_pushes_orphans_to_every_parent() -> None:
    kept = keep_containing(hierarchy({"d": "x", "b": "yz", "c": "uv", "a": "w"}), 2)
    assert set(kept.parents) == {ROOT, "a", "b", "c"}
    assert genes_of(kept, kept.direct["b"]) == "xyz"
    assert genes_of(kept, kept.direct["c"]) == "uvx"


def test_containment_pushes_through_removed_parents() -> None:
    kept = keep_containing(hierarchy({"d": "x", "b": "y", "c": "x", "a": "uvw"}), 3)
    assert set(kept.parents) == {ROOT, "a"}
    assert genes_of(kept, kept.direct["a"]) == "uvwxy"


def test_containment_drops_orphans_when_asked() -> None:
    kept = keep_containing(hierarchy({"d": "x", "b": "yz", "c": "uv"}), 2, "drop")
    assert genes_of(kept, kept.direct["b"]) == "yz"
    assert "x" not in genes_of(kept, kept.direct["c"])


def test_redundant_term_hands_its_children_up() -> None:
    kept = drop_redundant(hierarchy({"d": "x", "e": "y", "c": "x", "b": "w", "g": "pq"}))
    # f contains what g contains; c contains x and y, more than either child.
    assert set(kept.parents) == {ROOT, "a", "b", "c", "d", "e", "g"}
    assert kept.parents["g"] == {ROOT}


def test_chain_of_redundant_terms() -> None:
    edges = [("b", "a"), ("c", "b"), ("d", "c"), ("e", "b")]
    kept = drop_redundant(hierarchy({"d": "xy", "e": "x"}, edges))
    assert {"a", "b", "c"}.isdisjoint(kept.parents)
    assert kept.parents["d"] == kept.parents["e"] == {ROOT}


def test_root_is_never_redundant() -> None:
    kept = drop_redundant(assemble("ab", [("b", "a")], [("a", "x"), ("b", "y")]))
    assert set(kept.parents) == {ROOT, "a", "b"}


def test_transitive_reduction() -> None:
    reduced = reduce_transitively(hierarchy({"d": "x"}, [*EDGES, ("d", "a")]))
    assert edges_of(reduced) == edges_of(hierarchy({"d": "x"}))


def test_orphans_do_not_change_what_a_term_contains() -> None:
    # With `drop`, redundancy is judged by the genes of the ontology, not by those that are left.
    built = hierarchy({"d": "x", "b": "yz", "e": "yz", "c": ""})
    kept = drop_redundant(keep_containing(built, 2, "drop"))
    assert {"b", "c", "e"} <= set(kept.parents)


@pytest.mark.parametrize("steps", [("containment",), ("redundant", "containment")])
def test_empty_result_names_the_step(steps: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=r"'containment' \(hierarchy.containment=9\) left"):
        prune(hierarchy({"d": "xy"}), HierarchyConfig(steps=steps, containment=9))


def test_ledger_follows_the_steps() -> None:
    full = hierarchy({"d": "xyzw", "e": "xyzv"})
    _, ledger = prune(full, HierarchyConfig(root="always"))
    assert [row["step"] for row in ledger] == [
        "annotated", "containment", "redundant", "transitive_reduction",
    ]  # fmt: skip
    assert ledger[0] == {"step": "annotated", "terms": 6, "edges": 6, "annotations": 8, "genes": 5}


def test_the_natural_root_takes_the_place_of_the_virtual_one() -> None:
    full = hierarchy({"d": "xyzw", "e": "xyzv", "a": "p"})
    always, before = prune(full, HierarchyConfig(root="always"))
    auto, ledger = prune(full, HierarchyConfig(root="auto"))
    assert (always.root, auto.root) == (ROOT, "a")
    assert edges_of(auto) == edges_of(always) - {("a", ROOT)}
    assert auto.direct == {term: genes for term, genes in always.direct.items() if term != ROOT}
    assert ledger[:-1] == before
    assert ledger[-1] == {
        **before[-1], "step": "natural_root", "terms": before[-1]["terms"] - 1,
        "edges": before[-1]["edges"] - 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    "built",
    [
        hierarchy({"d": "xyzw", "e": "xyzv", "g": "xyzw"}),  # two roots
        assemble("a", [], [("a", "x")]),  # one term, without children
        # A root that the file itself calls so, as files exported from builds do.
        assemble(["a", "b", ROOT], [("a", ROOT), ("b", "a")], [("a", "x"), ("b", "y")]),
    ],
)
def test_where_the_virtual_root_stays(built: Hierarchy) -> None:
    config = HierarchyConfig(root="auto", steps=())
    assert prune(built, config) == prune(built, dataclasses.replace(config, root="always"))
    assert prune(built, config)[0].root == ROOT


@st.composite
def hierarchies(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]], list[tuple[str, str]]]:
    """Random DAGs with random annotations, edges and lines in random order."""
    terms = [f"t{number}" for number in range(draw(st.integers(2, 14)))]
    edges = draw(
        st.lists(
            st.integers(1, len(terms) - 1).flatmap(
                lambda child: st.tuples(st.just(child), st.integers(0, child - 1))
            ),
            max_size=30,
        )
    )
    pairs = draw(
        st.lists(st.tuples(st.sampled_from(terms), st.sampled_from("abcdefgh")), min_size=3)
    )
    return terms, [(terms[child], terms[parent]) for child, parent in edges], pairs


CONFIGS = st.builds(
    HierarchyConfig,
    root=st.sampled_from(["auto", "always"]),
    containment=st.integers(1, 4),
    orphans=st.sampled_from(["push", "drop"]),
    steps=st.permutations(["containment", "redundant", "transitive_reduction"]).map(tuple),
)


@given(hierarchies(), CONFIGS)
def test_laws_of_pruning(drawn: Any, config: HierarchyConfig) -> None:
    terms, edges, pairs = drawn
    full = assemble(terms, edges, pairs)
    try:
        pruned, _ = prune(full, config)
    except InputError:
        return
    graph = nx.DiGraph(sorted(edges_of(pruned)))
    assert nx.is_directed_acyclic_graph(graph)
    assert {term for term, own in pruned.parents.items() if not own} == {pruned.root}
    under = [term for term, own in pruned.parents.items() if own == {ROOT}]
    if config.root == "always":
        assert pruned.root == ROOT
    elif pruned.root == ROOT:
        assert len(under) > 1 or len(pruned.parents) == 2
    before = nx.DiGraph(sorted(edges_of(full)))
    for child, parent in edges_of(pruned):
        assert pruned.contained[child] | pruned.contained[parent] == pruned.contained[parent]
        assert nx.has_path(before, child, parent)  # no path is invented
    for term in pruned.parents:  # nor cut
        ancestors = nx.descendants(before, term) & set(pruned.parents)  # edges lead upwards
        assert ancestors == (nx.descendants(graph, term) if term in graph else set())
        if term != pruned.root:
            assert pruned.contained[term].bit_count() >= config.containment
    if config.orphans == "push":
        assert full.contained[ROOT] == pruned.contained[pruned.root]
        kept = 0
        for genes in pruned.direct.values():
            kept |= genes
        assert kept == full.contained[ROOT]  # no gene is lost


@given(hierarchies(), CONFIGS)
def test_pruning_twice_is_pruning_once(drawn: Any, config: HierarchyConfig) -> None:
    # Taking out redundant terms adds edges, so only a reduction after it is final.
    steps = sorted(config.steps, key=lambda step: step == "transitive_reduction")
    config = dataclasses.replace(config, steps=tuple(steps))
    try:
        once, _ = prune(assemble(*drawn), config)
    except InputError:
        return
    twice, _ = prune(once, config)
    assert twice == once


@given(hierarchies(), CONFIGS, st.randoms(use_true_random=False))
def test_order_of_lines_does_not_matter(drawn: Any, config: HierarchyConfig, random: Any) -> None:
    terms, edges, pairs = drawn
    shuffled = [random.sample(part, len(part)) for part in (terms, edges, pairs)]
    try:
        expected = prune(assemble(terms, edges, pairs), config)
    except InputError:
        return
    assert prune(assemble(*shuffled), config) == expected


def test_hash_seed_does_not_matter(tmp_path: Any) -> None:
    from data_specs.files import sha256_of
    from tests.conftest import CHECKOUT, tiny_parameters

    script = (  # without `tests.conftest`, which imports torch
        "import sys; from pathlib import Path; from pipeline.build import build;"
        "from data_specs.parameters import resolve;"
        f"build(resolve({tiny_parameters()!r}), Path(sys.argv[1]))"
    )
    digests = []
    for seed in ("1", "2"):
        out = tmp_path / seed
        subprocess.run(
            [sys.executable, "-c", script, str(out)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(CHECKOUT), "PATH": "/usr/bin:/bin"},
            check=True,
        )
        files = sorted(path for path in out.rglob("*") if path.is_file())
        digests.append({str(path.relative_to(out)): sha256_of(path) for path in files})
    assert digests[0] == digests[1]
