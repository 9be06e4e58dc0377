"""Calibrated predictions, their intervals, and genes that training never saw deleted."""

import dataclasses

import numpy as np
import pytest
import torch

from data_specs.errors import ArtefactError, InputError
from dcell_model.checkpoint.calibration import Calibration
from dcell_model.data.dataset import encode_genotypes
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


def test_states_of_genes() -> None:
    own = trained()
    given = [["G001=0.5"], ["G002", "G003=0.25"], ["G001=0.5", "G001=0.5"], ["G001"]]
    ((table, _),) = predictions(own, resolve(own, given))
    assert table["genes"].to_pylist() == ["G001=0.5", "G002|G003=0.25", "G001=0.5", "G001"]
    model = trained_model(GRAPH)
    batch = encode_genotypes(GRAPH, [[1], [2, 3], [1], [1]], states=[[0.5], [0, 0.25], [0.5], [0]])
    heads = model(batch)[0].detach().numpy()
    expected = heads * SCALE[1].double().numpy() + SCALE[0].double().numpy()
    for column, name in enumerate(NAMES):
        np.testing.assert_allclose(
            table[f"{name}_predicted"].to_numpy(), expected[:, column], rtol=1e-9
        )
    half, whole = table[f"{NAMES[0]}_predicted"].to_pylist()[::3]
    assert half != whole


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["G001=1"], "'1' is no state of G001"),
        (["G001=x"], "'x' is no state of G001"),
        (["G001=-0.5"], "expected a number from 0"),
        (["G001", "G001=0.5"], "G001 has the states 0 and 0.5"),
    ],
)
def test_states_that_are_none_are_refused(given: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        resolve(trained(), [given])


def test_a_model_that_knows_deletions_alone_refuses_states() -> None:
    own = dataclasses.replace(trained(), kind="dango")
    with pytest.raises(InputError, match="a dango model knows deletions alone"):
        resolve(own, [["G001=0.5"]])
    assert resolve(own, [["G001=0"]]).states is None
