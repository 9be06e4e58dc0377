"""Which pass does the work of a batch, how much it is, and what of it is done ahead."""

import pytest
import torch

from data_specs.parameters.sections import Model
from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.engines import work_plan
from dcell_model.dcell.model import DCell
from tests.engines import running
from tests.hierarchies import cell_graph

# Two branches of two terms each; gene 0 in one, gene 1 in the other. An edge has 16 weights.
GRAPH = cell_graph([(1, 0), (2, 1), (3, 0), (4, 3)], [(2, 0), (4, 1)], terms=5, genes=2)


@pytest.mark.parametrize(
    ("genotypes", "columns", "entries"),
    [([[]], 0, 0), ([[0]], 2, 2), ([[0], [0], [0, 1]], 4, 8), ([[0, 1], [0], [1]], 4, 8)],
)
def test_work_is_that_of_columns_or_entries(
    genotypes: list[list[int]], columns: int, entries: int
) -> None:
    batch = encode_genotypes(GRAPH, genotypes)
    model = DCell(GRAPH, Model(width_min=4))
    with running("native"):
        assert work_plan(model, batch).product == 16 * columns / 2
    with running("torch"):  # edges of one stratum and width are one product: two of them
        assert work_plan(model, batch).product == 16 * entries / 2
    model.engine = "reference"
    assert work_plan(model, batch).product == 16 * len(genotypes)


def test_the_pass_in_words() -> None:
    batch, model = encode_genotypes(GRAPH, [[0]]), DCell(GRAPH, Model(width_min=4))
    with running("native"):
        assert work_plan(model, batch).engine_pass in (
            "native, AVX512",
            "native, AVX2",
            "native, DEFAULT",
        )
    with running("torch"):
        assert work_plan(model, batch).engine_pass == "in torch"
    model.engine = "reference"
    assert work_plan(model, batch).engine_pass == "term by term"


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_what_is_done_ahead_changes_nothing(engine: str) -> None:
    torch.manual_seed(0)
    model = DCell(GRAPH, Model(width_min=4))
    batch = encode_genotypes(GRAPH, [[0], [0, 1], [], [1], [0, 1]])
    with running(engine):
        ahead = work_plan(model, batch).ahead
        assert (ahead is None) == (engine == "torch")
        expected = model(batch)
        if ahead is not None:
            ahead(batch)
            assert batch.plan is not None
            batch.deleted_gene.zero_()  # is not read again
        assert torch.equal(model(batch), expected)


def test_nothing_is_done_ahead_under_autocast() -> None:
    batch, model = encode_genotypes(GRAPH, [[0]]), DCell(GRAPH, Model(width_min=4))
    with torch.autocast("cpu", torch.bfloat16):
        plan = work_plan(model, batch)
    assert (plan.engine_pass, plan.ahead) == ("in torch", None)


@pytest.mark.parametrize("name", ["auto", "stratum"])
def test_former_engines_are_the_present_one(name: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"the engine '{name}' is gone; 'incremental'"):
        model = DCell(GRAPH, Model(width_min=4), engine=name)
    assert model.engine == "incremental"
