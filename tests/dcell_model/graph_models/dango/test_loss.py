"""The published loss: near 0 a square, far from it a distance, and never too large to write."""

import math
from dataclasses import replace

import pytest
import torch

from data_specs.errors import InputError
from dcell_model.dcell.loss import dcell_loss
from dcell_model.graph_models.dango.loss import dango_loss, log_cosh
from tests.dcell_model.graph_models.networks import SMALL, small_model


def test_log_cosh_is_what_it_says() -> None:
    x = torch.linspace(-5, 5, 101, dtype=torch.float64).requires_grad_()
    torch.testing.assert_close(log_cosh(x), x.cosh().log())
    assert torch.autograd.gradcheck(log_cosh, x)
    far = torch.tensor([-1e4, 1e4])  # whose cosh is infinite
    torch.testing.assert_close(log_cosh(far), far.abs() - math.log(2))
    assert log_cosh(torch.zeros(1)).item() == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_that_is_asked_for(weighted: bool) -> None:
    torch.manual_seed(0)
    heads, targets = torch.randn(1, 6, 2), torch.randn(6, 2)
    weights = torch.rand(6, 2) + 0.5 if weighted else None
    squared, published = small_model(), small_model(replace(SMALL, loss="log_cosh"))
    expected = dcell_loss(heads, targets, squared, l2=0.1, weights=weights)
    torch.testing.assert_close(
        dango_loss(heads, targets, squared, l2=0.1, weights=weights).total, expected
    )
    each = (heads[0] - targets).cosh().log() * (1 if weights is None else weights)
    torch.testing.assert_close(
        dango_loss(heads, targets, published, l2=0.1, weights=weights).total,
        each.mean() + 0.1 * published.weight_penalty(),
    )


def test_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match="expected targets"):
        dango_loss(torch.zeros(1, 4, 1), torch.zeros(4, 2), small_model())
