"""How much work a batch is, and which pass does it."""

import pytest

from data_specs.parameters.sections import Model
from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.engines import pass_of, product_size
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
        assert product_size(model, batch) == 16 * columns / 2
    with running("torch"):  # edges of one stratum and width are one product: two of them
        assert product_size(model, batch) == 16 * entries / 2
    model.engine = "reference"
    assert product_size(model, batch) == 16 * len(genotypes)


def test_the_pass_in_words() -> None:
    batch, model = encode_genotypes(GRAPH, [[0]]), DCell(GRAPH, Model(width_min=4))
    with running("native"):
        assert pass_of(model, batch) in ("native, AVX512", "native, AVX2", "native, DEFAULT")
    with running("torch"):
        assert pass_of(model, batch) == "in torch"
    model.engine = "reference"
    assert pass_of(model, batch) == "term by term"


@pytest.mark.parametrize("name", ["auto", "stratum"])
def test_former_engines_are_the_present_one(name: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"the engine '{name}' is gone; 'incremental'"):
        model = DCell(GRAPH, Model(width_min=4), engine=name)
    assert model.engine == "incremental"
