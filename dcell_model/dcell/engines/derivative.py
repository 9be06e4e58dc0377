"""The derivative of a pass over the hierarchy, whose backward pass is an operator of its own."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def register_backward(forward: Any, backward: Callable[..., list[Tensor]]) -> None:
    """Make an operator differentiable with respect to the weights.

    Args:
        forward: takes weights (`Weights` as a list), what the batch touches, the wild type's known
            pre-activations, and settings. It gives the heads of the wild type and the differences,
            mean and variance of the batch, and the rest that `backward` needs.
        backward: takes the gradients of both heads, the weights with that mean and variance, what
            the batch touches, that rest, and the settings; it gives the gradients of the weights.
    """

    def save(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
        weights, touched, _, *settings = inputs
        ctx.settings = settings
        # The statistics of this pass take the place of the running ones, which training moves.
        ctx.save_for_backward(*weights[:-2], *output[2:4], *touched, *output[4:])
        ctx.set_materialize_grads(False)
        ctx.shapes = len(weights), len(touched), output[0].shape, output[1].shape

    def differentiate(ctx: Any, gradients: list[Tensor | None]) -> tuple[Any, ...]:
        weights, touched, wild, difference = ctx.shapes
        tensors = ctx.saved_tensors
        own, at, saved = (
            tensors[:weights],
            tensors[weights:][:touched],
            tensors[weights + touched :],
        )
        given = [
            own[0].new_zeros(shape) if gradient is None else gradient
            for gradient, shape in zip(gradients[:2], (wild, difference), strict=True)
        ]
        with torch.autocast(own[0].device.type, enabled=False):
            out = backward(*given, own, at, saved, *ctx.settings)
        none = (None,) * (1 + len(ctx.settings))
        return [*out[:-2], None, None], [None] * touched, *none

    forward.register_autograd(differentiate, setup_context=save)
