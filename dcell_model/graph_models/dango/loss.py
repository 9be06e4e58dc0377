"""DANGO's loss: of squared errors, as all models have it, or of their log-cosh, as published."""

import math
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from dcell_model.dcell import LossParts, loss_parts
from dcell_model.graph_models.dango.model import Dango


def log_cosh(error: Tensor) -> Tensor:
    """`log cosh x` of every x: `x² / 2` near 0, `|x| − log 2` far from it; of any size of x."""
    return error + F.softplus(-2 * error) - math.log(2)


def dango_loss(heads: Tensor, targets: Tensor, model: Dango, **options: Any) -> LossParts:
    """The mean of the errors of the one head, by `dango.loss`, and the size of the weights.

    Args:
        heads: `[1, B, P]`.
        targets: `[B, P]`.
        model: whose configuration names the loss.
        options: those of `loss_parts`.

    Raises:
        InputError: targets or weights of another shape.
    """
    if model.config.loss == "squared":
        return loss_parts(heads, targets, model, **options)
    return loss_parts(heads, targets, model, error=log_cosh, **options)
