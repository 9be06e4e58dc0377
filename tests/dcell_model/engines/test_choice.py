"""`engine: auto` picks by what share of the work deletions reach."""

import pytest

from data_specs.parameters import Model
from dcell_model.dataset import encode_genotypes
from dcell_model.engines import choice
from dcell_model.model import DCell
from dcell_model.subsystems import SubsystemLayout
from tests.hierarchies import cell_graph

# Two branches of two terms each; gene 0 in one, gene 1 in the other.
GRAPH = cell_graph([(1, 0), (2, 1), (3, 0), (4, 3)], [(2, 0), (4, 1)], terms=5, genes=2)


@pytest.mark.parametrize(
    ("genotypes", "share"), [([[]], 0), ([[0]], 0.5), ([[0], [0, 1]], 0.75), ([[0, 1]], 1)]
)
def test_share(genotypes: list[list[int]], share: float) -> None:
    layout = SubsystemLayout(GRAPH, Model(width_min=4))
    assert choice.touched_share(layout, encode_genotypes(GRAPH, genotypes)) == share


def test_auto_settles_at_the_first_batch() -> None:
    few = DCell(GRAPH).eval()
    assert few.engine == "auto"
    few(encode_genotypes(GRAPH, [[0], []]))
    assert few.engine == "incremental"
    few.engine = "auto"
    few(encode_genotypes(GRAPH, [[0, 1], [0, 1]]))
    assert few.engine == "stratum"
    name, reason = choice.pick_engine(few, encode_genotypes(GRAPH, [[0, 1]]))
    assert (name, reason) == ("stratum", "deletions reach 100% of the multiply-adds, > 70%")
