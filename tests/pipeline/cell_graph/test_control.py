"""Controls keep all sizes and nothing else."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_specs.cell_graph import CellGraph
from data_specs.cell_graph_checks import fault_of
from data_specs.errors import ArtefactError
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.parameters.ranges import CONTROLS, Control
from data_specs.parameters.sections import resolve
from pipeline.build import build
from pipeline.cell_graph.control import WHAT, Account, controlled, switched
from pipeline.cell_graph.stage import control_of
from pipeline.show import show
from pipeline.verify import verify
from tests.conftest import CHECKOUT, tiny_parameters
from tests.hierarchies import cell_graph, random_cell_graph

ORIGINS = ("root", "leaves")
IntArray = npt.NDArray[np.int64]


def pairs_of(array: IntArray) -> list[tuple[int, int]]:
    return [(a, b) for a, b in array.tolist()]


def neighbours(graph: CellGraph) -> Counter[tuple[str, int, int]]:
    """How many children, and parents, of each stratum every term has."""
    counts: Counter[tuple[str, int, int]] = Counter()
    for child, parent in pairs_of(graph.edges):
        counts["children", parent, int(graph.strata[child])] += 1
        counts["parents", child, int(graph.strata[parent])] += 1
    return counts


def test_the_controls_are_those_of_the_parameter() -> None:
    assert set(get_args(Control)) == {"none", *CONTROLS}
    assert WHAT.keys() == set(CONTROLS)


@given(st.integers(0, 10_000), st.integers(2, 40), st.sampled_from(ORIGINS), st.integers(0, 3))
def test_random_genes_keep_sizes(number: int, terms: int, origin: str, seed: int) -> None:
    graph = random_cell_graph(number, terms, origin=origin)
    control, account = controlled(graph, "genes", seed)
    assert fault_of(control) is None
    assert len(set(pairs_of(control.annotations))) == len(graph.annotations)
    for column in (0, 1):
        assert Counter(control.annotations[:, column].tolist()) == Counter(
            graph.annotations[:, column].tolist()
        )
    for name in ("term_ids", "gene_ids", "strata", "heights", "genes_contained", "edges"):
        assert np.array_equal(getattr(control, name), getattr(graph, name))
    assert account.moved == len(
        set(pairs_of(control.annotations)) - set(pairs_of(graph.annotations))
    )


@given(st.integers(0, 10_000), st.integers(2, 40), st.sampled_from(ORIGINS), st.integers(0, 3))
def test_random_terms_keep_sizes(number: int, terms: int, origin: str, seed: int) -> None:
    graph = random_cell_graph(number, terms, origin=origin)
    control, account = controlled(graph, "terms", seed)
    assert fault_of(control) is None  # acyclic, one root, strata and heights are longest paths
    assert len(set(pairs_of(control.edges))) == len(graph.edges)
    assert neighbours(control) == neighbours(graph)
    for name in ("term_ids", "gene_ids", "strata", "genes_contained", "annotations"):
        assert np.array_equal(getattr(control, name), getattr(graph, name))
    assert account.moved == len(set(pairs_of(control.edges)) - set(pairs_of(graph.edges)))


@pytest.mark.parametrize("control", CONTROLS)
def test_a_seed_gives_one_control_and_another_seed_another(control: str) -> None:
    graph = random_cell_graph(1, terms=60, genes=40)
    prints = [controlled(graph, control, seed)[0].fingerprint for seed in (0, 0, 1, 2)]
    assert prints[0] == prints[1]
    assert len({graph.fingerprint, *prints}) == 4


@pytest.mark.parametrize("control", CONTROLS)
def test_most_pairs_move(control: str) -> None:
    graph = random_cell_graph(1, terms=200, genes=200)
    _, account = controlled(graph, control, 0)
    assert account.pairs == len(getattr(graph, WHAT[control]))
    assert account.moved > 0.5 * account.pairs
    assert str(account).startswith(f"{control}, seed 0: ")
    assert str(account).endswith(f"% of {account.pairs:,} {WHAT[control]} moved")


def test_a_control_does_not_depend_on_the_hash_seed() -> None:
    program = (
        "from pipeline.cell_graph.control import controlled;"
        "from tests.hierarchies import random_cell_graph;"
        "g = random_cell_graph(3, terms=50);"
        "print(*(controlled(g, c, 5)[0].fingerprint for c in ('genes', 'terms')))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=CHECKOUT, text=True, check=True,
            capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(printed) == 1


@pytest.mark.parametrize("control", CONTROLS)
def test_where_nothing_can_be_switched_all_stays(control: str) -> None:
    chain = cell_graph([(1, 0), (2, 1)], [(0, 0), (1, 0), (2, 0)], terms=3, genes=1)
    same, account = controlled(chain, control, 0)
    assert same.fingerprint == chain.fingerprint
    assert account == Account(control, 0, len(getattr(chain, WHAT[control])), 0)
    pairs = f"{account.pairs} {WHAT[control]}"
    assert str(account) == f"{control}, seed 0: none of {pairs} moved; this is the real hierarchy"


def test_a_root_alone_has_no_edge_to_switch() -> None:
    alone = cell_graph([], [(0, 0)], terms=1, genes=1)
    same, account = controlled(alone, "terms", 0)
    assert same.fingerprint == alone.fingerprint
    assert account.pairs == account.moved == 0


def test_all_tables_of_the_same_sums_are_as_likely() -> None:
    """Three terms with one gene of three each: six ways, all of which a long chain visits alike."""
    pairs = np.array([(0, 0), (1, 1), (2, 2)])
    random, groups = np.random.default_rng(0), np.zeros(3, dtype=np.int64)
    found = Counter(tuple(switched(pairs, groups, random)[:, 1].tolist()) for _ in range(3000))
    assert len(found) == 6
    assert min(found.values()) > 400


def test_pairs_stay_in_their_groups() -> None:
    pairs = np.array([(0, 0), (1, 1), (2, 2), (3, 3)])
    random, groups = np.random.default_rng(0), np.array([0, 1, 0, 1])
    for _ in range(20):
        seconds = switched(pairs, groups, random)[:, 1].tolist()
        assert set(seconds[::2]) == {0, 2}


SIMULATED = {"terms": 40, "genes": 60, "annotations": 300, "queries": 4, "arrays": 30,
             "triples": 60}  # fmt: skip


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("control", CONTROLS)
def test_build_of_a_control_is_a_build(
    control: str, origin: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"control": control, "control_seed": 3}
    given = {"simulate": SIMULATED, "hierarchy": settings, "strata": {"origin": origin}}
    layout = build(resolve(given), tmp_path / "build")
    checks = {check.name: check for check in verify(layout)}
    assert [check.detail for check in checks.values() if not check.passed] == []
    assert checks["control"].detail.startswith(f"{control}, seed 3: ")
    ledger = read_json(layout.ledger)
    assert ledger["control"].items() >= {"control": control, "seed": 3}.items()
    assert 0 < ledger["control"]["moved"] <= ledger["control"]["pairs"]
    graph = CellGraph.read(layout.cell_graph)
    assert ledger["heights"] == np.bincount(graph.heights).tolist()
    show(layout)
    assert f"  control      {checks['control'].detail}\n" in capsys.readouterr().out


def test_verify_finds_a_control_that_is_not_that_of_its_ledger(tmp_path: Path) -> None:
    parameters = tiny_parameters(hierarchy={"control": "genes"})
    layout = build(resolve(parameters), tmp_path / "build")
    path = layout.cell_graph / "ledger.json"
    ledger = read_json(path)
    for changed, message in (
        ({"control": "terms"}, "annotations moved; its ledger says 0"),
        ({"moved": ledger["control"]["moved"] + 1}, "annotations moved; its ledger says"),
    ):
        write_json(path, ledger | {"control": ledger["control"] | changed})
        failed = {check.name: check.detail for check in verify(layout) if not check.passed}
        assert failed.keys() == {"control"}
        assert message in failed["control"]


@pytest.mark.parametrize(
    "ledger", [[], {}, {"control": None}, {"control": {"control": "genes"}},
               {"control": {"control": "none", "seed": 0, "pairs": 1, "moved": 1}},
               {"control": {"control": "genes", "seed": 0, "pairs": 1, "moved": "1"}}],
)  # fmt: skip
def test_a_damaged_ledger_of_a_control_is_said(ledger: Any, tmp_path: Path) -> None:
    layout = DataLayout(tmp_path)
    assert control_of(layout) is None
    layout.cell_graph.mkdir()
    write_json(layout.cell_graph / "ledger.json", ledger)
    with pytest.raises(ArtefactError, match=r"ledger\.json: not the account of a control"):
        control_of(layout)


def test_verify_finds_a_control_with_other_sizes(tmp_path: Path) -> None:
    layout = build(resolve(tiny_parameters(hierarchy={"control": "genes"})), tmp_path / "build")
    graph = CellGraph.read(layout.cell_graph)
    ledger = read_json(layout.cell_graph / "ledger.json")
    contained = graph.genes_contained.copy()
    contained[0] += 1
    shutil.rmtree(layout.cell_graph)
    replace(graph, genes_contained=contained).write(layout.cell_graph)
    write_json(layout.cell_graph / "ledger.json", ledger)
    failed = {check.name: check.detail for check in verify(layout) if not check.passed}
    assert failed["control"] == "genes contained differ from the hierarchy's"
