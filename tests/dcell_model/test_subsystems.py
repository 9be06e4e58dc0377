"""Widths and the places of the parameters."""

import json
from pathlib import Path

import numpy as np
import pytest

from data_specs.parameters import Model
from dcell_model.subsystems import SubsystemLayout, widths
from tests.hierarchies import cell_graph, random_cell_graph


@pytest.mark.parametrize(("genes", "width"), [(10, 3), (11, 4), (20, 6), (100, 30), (0, 1)])
def test_width_is_exact(genes: int, width: int) -> None:
    graph = cell_graph([(1, 0)], [(1, g) for g in range(genes)], terms=2, genes=max(1, genes))
    assert widths(graph, Model(width_min=1))[1] == width


def test_width_by_contained_or_direct_genes() -> None:
    pairs = [(2, g) for g in range(30)] + [(1, 30)]
    graph = cell_graph([(1, 0), (2, 1)], pairs, terms=3, genes=31)
    assert widths(graph, Model(width_min=2)).tolist() == [10, 10, 9]
    assert widths(graph, Model(width_min=2, width_genes="direct")).tolist() == [2, 2, 9]


@pytest.mark.parametrize("seed", range(5))
def test_every_number_has_one_place(seed: int) -> None:
    graph = random_cell_graph(seed, terms=20)
    layout = SubsystemLayout(graph, Model(width_min=2))
    rows = np.concatenate(
        [layout.first_row[t] + np.arange(layout.widths[t]) for t in range(graph.num_terms)]
    )
    assert sorted(rows) == list(range(layout.num_rows))
    assert layout.num_child_weights == sum(g.rows * g.fan_in for g in layout.groups())
    expected = 0
    for group in layout.groups():
        assert (group.first_row, group.first_weight) == (
            layout.first_row[group.terms[0]], layout.first_weight[group.terms[0]],
        )  # fmt: skip
        assert group.first_weight == expected
        expected += group.rows * group.fan_in
    for stratum, groups in enumerate(layout.strata):
        terms = sorted(int(t) for group in groups for t in group.terms)
        assert terms == np.flatnonzero(graph.strata == stratum).tolist()
    assert np.array_equal(layout.row_term[layout.gene_weight_row], np.repeat(
        graph.annotations[:, 0], layout.widths[graph.annotations[:, 0]]))  # fmt: skip


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
