"""Activation functions and their derivatives, for engines that own their backward pass."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

aten = torch.ops.aten


@dataclass(frozen=True, slots=True)
class Activation:
    """y = f(x).

    Attributes:
        forward: f, elementwise.
        backward: maps the gradient of y and `keep` to the gradient of x.
        keeps_output: `keep` is y if true, else x.
    """

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]
    keeps_output: bool


ACTIVATIONS = {
    "tanh": Activation(torch.tanh, lambda g, y: aten.tanh_backward(g, y), True),
    "relu": Activation(torch.relu, lambda g, y: aten.threshold_backward(g, y, 0), True),
    "gelu": Activation(F.gelu, lambda g, x: aten.gelu_backward(g, x), False),
}
