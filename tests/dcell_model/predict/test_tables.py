"""Calibrated predictions, their intervals, and genes that training never saw deleted."""

import numpy as np
import pytest
import torch

from data_specs.errors import ArtefactError
from dcell_model.checkpoint.calibration import Calibration
from dcell_model.predict.tables import predictions, resolve
from dcell_model.predict.trained import Trained
from tests.hierarchies import random_cell_graph
from tests.trained_models import NAMES, SCALE, expected_of, trained_model

GRAPH = random_cell_graph(1)
GENES = [["G001"], ["G002", "G003"], []]
NUMBERS = [[1], [2, 3], []]


def calibrated() -> Calibration:
    errors = torch.arange(1.0, 20, dtype=torch.float64)  # 19: the level 0.9 takes the 18th
    line = torch.tensor([0.5, 0.25], dtype=torch.float64), torch.tensor([1.0, -1.0]).double()
    return Calibration(*line, (errors, errors / 10), torch.zeros(2, dtype=torch.float64))


def trained(seen: np.ndarray | None = None, calibration: Calibration | None = None) -> Trained:
    model = trained_model(GRAPH)
    return Trained.of([model], list(NAMES), SCALE, calibration=calibration, seen_genes=seen)


@pytest.mark.parametrize(("level", "place"), [(0.9, 18), (0.5, 10)])
def test_predictions_are_on_the_line_and_in_the_middle(level: float, place: int) -> None:
    own = trained(calibration=calibrated())
    ((table, _),) = predictions(own, resolve(own, GENES), level=level)
    plain = expected_of(trained_model(GRAPH), NUMBERS)
    for column, (name, width) in enumerate(zip(NAMES, (place, place / 10), strict=True)):
        found = table[f"{name}_predicted"].to_numpy()
        line = calibrated()
        expected = line.slope[column].item() * plain[:, column] + line.intercept[column].item()
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        np.testing.assert_allclose(table[f"{name}_low"].to_numpy(), found - width)
        np.testing.assert_allclose(table[f"{name}_high"].to_numpy(), found + width)


def test_without_a_validation_part_there_are_no_intervals() -> None:
    own = trained()
    ((table, _),) = predictions(own, resolve(own, GENES))
    assert not [name for name in table.column_names if name.endswith(("_low", "_high"))]


def test_heads_of_terms_are_not_calibrated() -> None:
    own = trained(calibration=calibrated())
    with_line = list(predictions(own, resolve(own, GENES), subsystems=True))[1][1]
    own = trained()
    without = list(predictions(own, resolve(own, GENES), subsystems=True))[1][1]
    assert with_line == without


def test_genes_that_training_never_saw_deleted_are_named() -> None:
    seen = np.ones(GRAPH.num_genes, dtype=np.bool_)
    seen[3] = False
    own = trained(seen)
    ((table, _),) = predictions(own, resolve(own, GENES))
    assert table["unseen"].to_pylist() == ["", "G003", ""]


def test_genes_of_another_number_are_refused() -> None:
    with pytest.raises(ArtefactError, match=f"has 3 genes; its cell graph has {GRAPH.num_genes}"):
        trained(np.ones(3, dtype=np.bool_))
