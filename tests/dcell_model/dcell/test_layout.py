"""Widths and the places of the parameters."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from data_specs.parameters.sections import Model
from dcell_model.dcell.layout import SubsystemLayout, widths
from tests.hierarchies import cell_graph, random_cell_graph


@pytest.mark.parametrize(("genes", "width"), [(10, 3), (11, 4), (20, 6), (100, 30), (0, 1)])
def test_width_is_exact(genes: int, width: int) -> None:
    graph = cell_graph([(1, 0)], [(1, g) for g in range(genes)], terms=2, genes=max(1, genes))
    assert widths(graph, Model(width_min=1))[1] == width


def test_width_by_contained_or_direct_genes() -> None:
    pairs = [(2, g) for g in range(30)] + [(1, 30)]
    graph = cell_graph([(1, 0), (2, 1)], pairs, terms=3, genes=31)
    assert widths(graph, Model(width_min=2, width_genes="contained")).tolist() == [10, 10, 9]
    assert widths(graph, Model(width_min=2, width_genes="direct")).tolist() == [2, 2, 9]


@pytest.mark.parametrize("seed", range(5))
def test_every_number_has_one_place(seed: int) -> None:
    graph = random_cell_graph(seed, terms=20)
    layout = SubsystemLayout(graph, Model(width_min=2))
    rows = np.concatenate(
        [layout.first_row[t] + np.arange(layout.widths[t]) for t in range(graph.num_terms)]
    )
    assert sorted(rows) == list(range(layout.num_rows))
    ends = {"rows": 0, "child_weights": 0, "gene_weights": 0, "second_weights": 0}
    for group in layout.groups:
        for name, end in ends.items():  # the groups' parts follow each other without a gap
            part = getattr(group, name)
            assert part.start == end
            ends[name] = part.stop
        first = group.terms[0]
        assert group.rows.start == layout.first_row[first]
        assert group.child_weights.start == layout.first_weight[first]
        assert {int(layout.widths[t]) for t in group.terms} == {group.width}
        assert {int(graph.strata[t]) for t in group.terms} == {group.stratum}
        for bundle in group.bundles:
            for number, rows in enumerate(bundle.child_rows):
                term = int(group.terms[bundle.first + number])
                assert rows.tolist() == layout.child_rows(term).tolist()
                at = group.child_weights.start + (
                    (bundle.first_input + number * bundle.fan_in) * group.width
                )
                assert at == layout.first_weight[term]
    assert ends == {
        "rows": layout.num_rows,
        "child_weights": layout.num_child_weights,
        "gene_weights": layout.num_gene_weights,
        "second_weights": int((layout.widths**2).sum()),
    }
    assert sorted(int(t) for group in layout.groups for t in group.terms) == list(range(20))
    own = np.argsort(np.argsort(layout.first_gene_weight, kind="stable"), kind="stable")
    starts = np.searchsorted(own[layout.gene_weight_pair], np.arange(len(graph.annotations)))
    assert np.array_equal(starts[own], layout.first_gene_weight)


def test_layout_is_found_by_its_number_while_it_lives() -> None:
    layout = SubsystemLayout(random_cell_graph(0), Model())
    assert SubsystemLayout.find(layout.handle) is layout
    assert copy.deepcopy(layout) is layout
    copied = pickle.loads(pickle.dumps(layout))
    assert copied.handle != layout.handle
    assert SubsystemLayout.find(copied.handle) is copied


@pytest.mark.real
@pytest.mark.parametrize("rule", ["contained", "direct"])
def test_parameters_of_the_real_hierarchy(real_data: Path, rule: str, real_build: Path) -> None:
    from data_specs.cell_graph import CellGraph

    settings = json.loads((real_data / "expected.json").read_text())["settings"]
    expected = settings["is_a, containment 4, redundant"]["widths"][rule]
    layout = SubsystemLayout(CellGraph.read(real_build / "cell_graph"), Model(width_genes=rule))
    assert layout.num_rows == expected["neurons"]
    assert layout.widths.max() == expected["widest"]
    linear = layout.num_child_weights + layout.num_gene_weights + layout.num_rows
    assert linear == expected["subsystem_parameters_linear"]
