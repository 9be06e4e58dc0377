"""`engine: auto` picks by what share of the work deletions reach."""

import pytest

from data_specs.parameters.sections import Model
from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.engines import choice
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.model import DCell
from tests.hierarchies import cell_graph

# Two branches of two terms each; gene 0 in one, gene 1 in the other.
GRAPH = cell_graph([(1, 0), (2, 1), (3, 0), (4, 3)], [(2, 0), (4, 1)], terms=5, genes=2)


@pytest.mark.parametrize(
    ("genotypes", "share"), [([[]], 0), ([[0]], 0.5), ([[0], [0, 1]], 0.75), ([[0, 1]], 1)]
)
def test_share(genotypes: list[list[int]], share: float) -> None:
    layout = SubsystemLayout(GRAPH, Model(width_min=4))
    assert choice.touched_share(layout, encode_genotypes(GRAPH, genotypes)) == share


def test_auto_settles_at_the_first_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    # Products have 4 · 4 · 2 multiply-adds a sample; half of it is reached in two of three samples.
    monkeypatch.setattr(choice, "WORTHWHILE", 3 * 32 * (1 - 1.35 / 3) - 1)
    model = DCell(GRAPH, Model(width_min=4)).eval()
    assert model.engine == "auto"
    model(encode_genotypes(GRAPH, [[0], [0], []]))
    assert model.engine == "incremental"
    model.engine = "auto"
    model(encode_genotypes(GRAPH, [[0, 1], [0, 1], [0, 1]]))
    assert model.engine == "stratum"


def test_reason() -> None:
    model = DCell(GRAPH, Model(width_min=4))
    batch = encode_genotypes(GRAPH, [[0]] * 1_000_000)
    name, reason = choice.pick_engine(model, batch)
    assert name == "incremental"
    assert reason == (
        "batches of 1,000,000 spare 10.4 million multiply-adds a product, ≥ 3; "
        "deletions reach 50% of all"
    )
    assert choice.pick_engine(model, encode_genotypes(GRAPH, [[0]]))[0] == "stratum"
