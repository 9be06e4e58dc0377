"""What the page shows is what `dcell predict` says."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch

from data_specs.errors import InputError
from data_specs.gene_names import GeneNames
from dcell_model.predict.tables import predictions, resolve
from dcell_model.predict.trained import Trained
from dcell_model.serve.view import (
    MAX_GENES,
    genotype_view,
    model_view,
    primary_parents,
    suggestions,
    term_view,
)
from tests.dcell_model.serve.conftest import HOSTILE_GENE, HOSTILE_TERM
from tests.hierarchies import cell_graph, random_cell_graph


@pytest.mark.parametrize("seed", range(5))
def test_primary_parents_are_a_tree_of_all_terms(seed: int) -> None:
    graph = random_cell_graph(seed, terms=30)
    primary = primary_parents(graph)
    edges = set(map(tuple, graph.edges.tolist()))
    for term in range(1, graph.num_terms):
        parents = [parent for child, parent in edges if child == term]
        best = min(parents, key=lambda p: (graph.genes_contained[p], graph.term_ids[p]))
        assert primary[term] == best
    reached, children = [0], [np.flatnonzero(primary == t).tolist() for t in range(len(primary))]
    for term in reached:  # grows as it goes
        reached += children[term]
    assert sorted(reached) == list(range(graph.num_terms))
    assert primary[0] == -1


def test_a_root_alone_has_no_parent() -> None:
    assert primary_parents(cell_graph([], [(0, 0)], 1, 1)).tolist() == [-1]


def test_model(trained: Trained) -> None:
    graph = trained.graph
    view = json.loads(json.dumps(model_view(trained), allow_nan=False))
    terms = view["terms"]
    assert view["phenotypes"] == ["fitness", "size"]
    assert view["genes"] == graph.num_genes
    assert {len(column) for column in terms.values()} == {graph.num_terms}
    assert terms["name"][-1] == HOSTILE_TERM
    assert sum(map(len, terms["parents"])) == len(graph.edges)
    assert all(p in own for p, own in zip(terms["primary"][1:], terms["parents"][1:], strict=True))
    (_, wild), *_ = predictions(trained, resolve(trained, []), subsystems=True)
    assert wild is not None
    assert [head[0] for head in terms["wild_type"]] == wild["fitness_predicted"].to_pylist()
    assert [head[1] for head in terms["wild_type"]] == wild["size_predicted"].to_pylist()


@pytest.mark.parametrize(
    "given",
    [["YAL001C"], ["abc2", "YAL005C", "ABC9"], [HOSTILE_GENE], ["abc2=0.5", "YAL005C=0.25"]],
)
def test_genotype_equals_the_tables(trained: Trained, given: list[str]) -> None:
    view = json.loads(json.dumps(genotype_view(trained, given), allow_nan=False))
    rows = [given, *([name] for name in given)]
    (_, wild), (table, states) = predictions(trained, resolve(trained, rows), subsystems=True)
    assert wild is not None
    assert states is not None
    own = [[row["fitness_predicted"], row["size_predicted"]] for row in table.to_pylist()]
    assert [view["predicted"], *view["singles"]] == own
    assert view["wild_type"] == [
        wild[f"{name}_predicted"][0].as_py() for name in trained.phenotypes
    ]
    by_term = {own["term"]: own for own in states.to_pylist() if own["genotype"] == 0}
    assert len(view["terms"]) == len(by_term) > 0
    changes = [own["state_change"] for own in view["terms"]]
    assert changes == sorted(changes, reverse=True)
    singles: dict[str, list[int]] = {}
    for own in states.to_pylist():
        if own["genotype"]:
            singles.setdefault(own["term"], []).append(own["genotype"] - 1)
    for row in view["terms"]:
        term = trained.graph.term_ids[row["term"]]
        expected = by_term[term]
        assert row["state_change"] == expected["state_change"]
        assert row["predicted"] == [expected["fitness_predicted"], expected["size_predicted"]]
        assert row["change"] == [expected["fitness_change"], expected["size_change"]]
        assert row["genes"] == singles[term]


def test_wild_type_and_genotypes_are_calibrated_alike(trained: Trained) -> None:
    plain = genotype_view(trained, ["YAL001C"])
    slope, intercept = torch.tensor([[0.5, 0.25], [1.0, -1.0]], dtype=torch.float64)
    line = dataclasses.replace(trained.calibration, slope=slope, intercept=intercept)
    view = genotype_view(dataclasses.replace(trained, calibration=line), ["YAL001C"])
    for key in ("predicted", "wild_type"):
        values = torch.tensor(plain[key], dtype=torch.float64)
        assert view[key] == (values * slope + intercept).tolist()
    assert view["terms"] == plain["terms"]  # their own heads have no line


def test_states_stand_behind_names(trained: Trained) -> None:
    view = genotype_view(trained, ["abc1=0.5", "YAL001C", "YAL005C=0.25"])
    assert [(own["label"], own["name"]) for own in view["genes"]] == [
        ("ABC1=0.5", "YAL001C=0.5"), (f"{trained.names.symbol('YAL005C')}=0.25", "YAL005C=0.25"),
    ]  # fmt: skip
    assert view["predicted"] != genotype_view(trained, ["abc1", "YAL005C"])["predicted"]
    with pytest.raises(InputError, match="'2x' is no state of abc1"):
        genotype_view(trained, ["abc1=2x"])


def test_the_wild_type_touches_nothing(trained: Trained) -> None:
    view = genotype_view(trained, [" ", ""])
    assert (view["genes"], view["unknown"], view["terms"], view["singles"]) == ([], [], [], [])
    assert view["predicted"] == pytest.approx(view["wild_type"])


def test_names(trained: Trained) -> None:
    view = genotype_view(trained, ["abc1", "YAL001C", "OLD", "UNUSED", "ABC2x", "dna, LIGASE"])
    assert [(own["given"], own["gene"], own["symbol"]) for own in view["genes"]] == [
        ("abc1", "YAL001C", "ABC1"), ("dna, LIGASE", "YAL003C", "ABC3"),
    ]  # fmt: skip
    reasons = {own["name"]: own["reason"] for own in view["unknown"]}
    assert reasons["OLD"].startswith("OLD is a name of 2 genes: YAL001C (ABC1), YAL002C")
    assert reasons["UNUSED"] == "UNUSED (YZZ001C) is annotated to no term of the hierarchy"
    assert reasons["ABC2x"] == "ABC2x is no name of a gene here"
    assert "ABC2" in next(own["near"] for own in view["unknown"] if own["name"] == "ABC2x")
    assert len(view["singles"]) == 2


def test_a_name_that_comes_back_means_the_same_gene(trained: Trained) -> None:
    """The page asks again by what it was answered; a mapping may swap two genes."""
    swapped = (("YAL001C", "YAL002C", "mapped"), ("YAL002C", "YAL001C", "mapped"))
    graph = trained.graph
    graph = dataclasses.replace(graph, gene_names=(*graph.gene_names, *swapped))
    mapped = dataclasses.replace(trained)
    vars(mapped)["names"] = GeneNames.of(graph)  # as if its members' graph had them
    once = genotype_view(mapped, ["YAL001C", "abc1", "YAL003C"])
    assert [own["gene"] for own in once["genes"]] == ["YAL002C", "YAL001C", "YAL003C"]
    again = genotype_view(mapped, [own["name"] for own in once["genes"]])
    assert [own["gene"] for own in again["genes"]] == [own["gene"] for own in once["genes"]]
    expected = genotype_view(trained, ["YAL002C", "YAL001C", "YAL003C"])
    assert once["predicted"] == expected["predicted"]
    assert once["singles"] == expected["singles"]


def test_limits(trained: Trained) -> None:
    most = [f"YAL{number:03d}C" for number in range(1, MAX_GENES + 1)]
    assert len(genotype_view(trained, most)["genes"]) == 29
    with pytest.raises(InputError, match="51 genes; the page takes 50 at most"):
        genotype_view(trained, [*most, "another"])
    with pytest.raises(InputError, match="has 101 characters"):
        genotype_view(trained, ["x" * 101])
    with pytest.raises(InputError, match="has 101 characters"):
        suggestions(trained, "x" * 101)


def test_term(trained: Trained) -> None:
    graph = trained.graph
    for term in range(graph.num_terms):
        genes = [own["gene"] for own in term_view(trained, graph.term_ids[term])["genes"]]
        own = graph.annotations[graph.annotations[:, 0] == term, 1]
        assert genes == [graph.gene_ids[gene] for gene in own]
    with pytest.raises(InputError, match="has no term 'GO:1'"):
        term_view(trained, "GO:1")


def test_suggestions(trained: Trained) -> None:
    assert suggestions(trained, "") == []
    assert suggestions(trained, "nothing like it") == []
    first, *more = suggestions(trained, "abc1")
    named = {"gene": "YAL001C", "symbol": "ABC1", "name": "ABC1"}
    assert first == named | {"value": "YAL001C"}
    assert suggestions(trained, "abc1=0.5")[0] == named | {"value": "YAL001C=0.5"}
    assert suggestions(trained, "abc1=")[0] == named | {"value": "YAL001C"}
    assert [own["symbol"] for own in more] == [f"ABC1{digit}" for digit in range(7)]
    assert suggestions(trained, "LIGASE")[0]["name"] == "DNA, ligase"
    assert suggestions(trained, "unused") == []  # the model has no such gene
    assert suggestions(trained, "<IMG")[0]["gene"] == HOSTILE_GENE


def test_numbers_that_are_not_finite_are_none(trained: Trained) -> None:
    broken = Trained.of(
        trained.with_subsystems(), trained.phenotypes, (trained.mean * math.nan, trained.std)
    )
    assert genotype_view(broken, ["YAL001C"])["predicted"] == [None, None]
    json.dumps(model_view(broken), allow_nan=False)
