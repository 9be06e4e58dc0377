"""DCell's loss: the root's error, that of every other head, and the size of the weights."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from data_specs.errors import InputError
from dcell_model.dcell.heads import ColumnHeads, Heads


class Penalised(Protocol):
    """A model whose weights can be penalised."""

    def weight_penalty(self) -> Tensor:
        """`Σ‖W‖²`."""
        ...


class LossParts(NamedTuple):
    """The parts of a loss, scalars that add up to it: of root, other heads, size of weights."""

    root: Tensor
    auxiliary: Tensor
    penalty: Tensor

    @property
    def total(self) -> Tensor:
        """The loss."""
        return self.root + self.auxiliary + self.penalty


def dcell_loss(
    heads: Heads,
    targets: Tensor,
    model: Penalised,
    *,
    aux_weight: float = 0.3,
    aux_reduction: str = "sum",
    l2: float = 0.0,
    weights: Tensor | None = None,
) -> Tensor:
    """DCell's loss, a scalar: the sum of its `loss_parts`, which has the arguments."""
    return loss_parts(
        heads, targets, model, aux_weight=aux_weight, aux_reduction=aux_reduction, l2=l2,
        weights=weights,
    ).total  # fmt: skip


def loss_parts(
    heads: Heads,
    targets: Tensor,
    model: Penalised,
    *,
    aux_weight: float = 0.3,
    aux_reduction: str = "sum",
    l2: float = 0.0,
    weights: Tensor | None = None,
    error: Callable[[Tensor], Tensor] = torch.square,
) -> LossParts:
    """`MSE(root) + α · reduce over t ≠ root of MSE(t) + λ · Σ‖W(t)‖²` (Ma et al. 2018, eq. 3).

    Args:
        heads: `[T, B, P]` predictions, of which `[0]` are the root's, or `ColumnHeads`.
        targets: `[B, P]`.
        model: whose weights are penalised.
        aux_weight: α.
        aux_reduction: `sum` (the paper) or `mean` over the heads.
        l2: λ.
        weights: `[B, P]`, above 0: the squared errors of all heads are multiplied by them before
            the mean over samples and phenotypes is taken.
        error: of each difference `[T, B, P]`, in place of its square; not of `ColumnHeads`.

    Raises:
        InputError: targets or weights of another shape, which broadcasting would turn into B × B
            errors.
    """
    if isinstance(heads, ColumnHeads):
        terms, phenotypes = heads.wild_type.shape
        shape = torch.Size([terms, heads.samples, phenotypes])
    else:
        shape = heads.shape
    if len(shape) != 3 or shape[1:] != targets.shape:
        raise InputError(
            f"heads have shape {list(shape)} [T, B, P] and targets {list(targets.shape)}; "
            "expected targets [B, P] with the same B and P"
        )
    if weights is not None and weights.shape != targets.shape:
        raise InputError(
            f"weights have shape {list(weights.shape)} and targets {list(targets.shape)}; expected "
            "a weight for each target [B, P]"
        )
    if isinstance(heads, ColumnHeads):
        assert error is torch.square, "the sums of `ColumnHeads` are of squares"
        errors = heads.squared_errors(targets, weights)
    else:
        each = error(heads - targets)
        errors = (each if weights is None else each * weights).mean(dim=(1, 2))  # [T]
    none = errors.new_zeros(())
    auxiliary, penalty = none, none
    if aux_weight and len(errors) > 1:
        reduced = errors[1:].sum() if aux_reduction == "sum" else errors[1:].mean()
        auxiliary = aux_weight * reduced
    if l2:
        penalty = l2 * model.weight_penalty()
    return LossParts(errors[0], auxiliary, penalty)
