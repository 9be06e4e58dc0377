"""The loss, written out by hand."""

import pytest
import torch

from data_specs.errors import InputError
from data_specs.parameters.sections import Model
from dcell_model.dcell.loss import dcell_loss, loss_parts
from dcell_model.dcell.model import DCell
from tests.hierarchies import random_cell_graph

MODEL = DCell(random_cell_graph(0), Model(layers=2))
HEADS = torch.tensor([[[1.0], [2.0]], [[0.0], [4.0]], [[3.0], [3.0]]])  # [T = 3, B = 2, P = 1]
TARGETS = torch.tensor([[1.0], [4.0]])
# Mean squared errors: root (0 + 4) / 2, then (1 + 0) / 2 and (4 + 1) / 2.


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"aux_weight": 0.0}, 2.0),
        ({"aux_weight": 0.3}, 2.0 + 0.3 * 3.0),
        ({"aux_weight": 0.3, "aux_reduction": "mean"}, 2.0 + 0.3 * 1.5),
    ],
)
def test_by_hand(options: dict[str, float], expected: float) -> None:
    assert float(dcell_loss(HEADS, TARGETS, MODEL, **options)) == pytest.approx(expected)


@pytest.mark.parametrize("l2", [0.0, 0.5])
@pytest.mark.parametrize("aux_weight", [0.0, 0.3])
@torch.no_grad()
def test_the_parts_add_up(aux_weight: float, l2: float) -> None:
    options = {"aux_weight": aux_weight, "l2": l2}
    parts = loss_parts(HEADS, TARGETS, MODEL, **options)
    assert float(parts.root) == 2
    assert float(parts.auxiliary) == pytest.approx(aux_weight * 3)
    assert float(parts.penalty) == pytest.approx(l2 * float(MODEL.weight_penalty()))
    assert torch.equal(parts.total, dcell_loss(HEADS, TARGETS, MODEL, **options))


def test_weight_penalty() -> None:
    loss = dcell_loss(HEADS, TARGETS, MODEL, aux_weight=0.0, l2=0.5).detach()
    weights = (MODEL.child_weight, MODEL.gene_weight, MODEL.second_weight)
    squares = sum(float(weight.detach().square().sum()) for weight in weights)
    assert float(loss) == pytest.approx(2.0 + 0.5 * squares, rel=1e-5)


def test_weighted_by_hand() -> None:
    """Squared errors are root 0, 4, then 1, 0 and 4, 1."""
    weights = torch.tensor([[0.5], [1.5]])
    found = dcell_loss(HEADS, TARGETS, MODEL, aux_weight=0.3, weights=weights)
    assert float(found) == pytest.approx(3.0 + 0.3 * (0.25 + (2 + 1.5) / 2))
    alike = dcell_loss(HEADS, TARGETS, MODEL, weights=torch.ones(2, 1))
    assert torch.equal(alike, dcell_loss(HEADS, TARGETS, MODEL))


@pytest.mark.parametrize("shape", [(2,), (1, 2), (2, 2), (1, 1)])
def test_other_shapes_of_weights_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"expected a weight for each target \[B, P\]"):
        dcell_loss(HEADS, TARGETS, MODEL, weights=torch.ones(shape))


@pytest.mark.parametrize("shape", [(2,), (1, 2), (2, 2), (3, 1)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"expected targets \[B, P\]"):
        dcell_loss(HEADS, torch.zeros(shape), MODEL)
