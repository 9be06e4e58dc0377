"""DCell's loss: the root's error, that of every other head, and the size of the weights."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from data_specs.errors import InputError

if TYPE_CHECKING:
    from dcell_model.model import DCell


def dcell_loss(
    heads: Tensor,
    targets: Tensor,
    model: "DCell",
    *,
    aux_weight: float = 0.3,
    aux_reduction: str = "sum",
    l2: float = 0.0,
) -> Tensor:
    """`MSE(root) + α · reduce over t ≠ root of MSE(t) + λ · Σ‖W(t)‖²` (Ma et al. 2018, eq. 3).

    Args:
        heads: `[T, B, P]` predictions; `[0]` is the root's.
        targets: `[B, P]`.
        model: whose weights are penalised.
        aux_weight: α.
        aux_reduction: `sum` (the paper) or `mean` over the heads.
        l2: λ.

    Raises:
        InputError: targets of another shape, which broadcasting would turn into B × B errors.
    """
    if heads.dim() != 3 or heads.shape[1:] != targets.shape:
        raise InputError(
            f"heads have shape {list(heads.shape)} [T, B, P] and targets {list(targets.shape)}; "
            "expected targets [B, P] with the same B and P"
        )
    errors = (heads - targets).square().mean(dim=(1, 2))  # [T]
    loss = errors[0]
    if aux_weight and len(errors) > 1:
        auxiliary = errors[1:].sum() if aux_reduction == "sum" else errors[1:].mean()
        loss = loss + aux_weight * auxiliary
    if l2:
        loss = loss + l2 * model.weight_penalty()
    return torch.as_tensor(loss)
