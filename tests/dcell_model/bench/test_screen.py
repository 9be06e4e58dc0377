"""The benchmark of screens runs, and all engines agree in it."""

from dcell_model.bench import screen
from tests.hierarchies import random_cell_graph


def test_record() -> None:
    record = screen.run(random_cell_graph(0), rounds=1, scale=0.01)
    assert set(record["engines"]) == set(screen.ENGINES)
    for row in record["engines"].values():
        assert row["largest_error"] < 1e-5
        assert row["median"] > 0
