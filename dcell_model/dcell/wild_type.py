"""The wild type's pre-activations in evaluation, computed once."""

import itertools
from typing import Any

import torch
from torch import Tensor, nn


class WildTypeCache:
    """The wild type's pre-activations in evaluation, kept until a parameter changes.

    Changes are seen by autograd's version counters: all in-place operations count, `.data` does
    not.
    """

    def __init__(self) -> None:
        self._state: tuple[Any, ...] = ()
        self._value: Tensor | None = None

    def get(self, model: nn.Module) -> Tensor:
        """The kept `[R]`, or an empty tensor."""
        if self._value is None or not self._usable(model) or self._state != _versions(model):
            return next(model.parameters()).new_empty(0)
        return self._value

    def put(self, model: nn.Module, value: Tensor) -> None:
        """Keep `[R]` where it can be used again."""
        if self._usable(model):
            self._state, self._value = _versions(model), value

    def _usable(self, model: nn.Module) -> bool:
        # With batch norm in training the wild type depends on the batch.
        frozen = not (model.training or torch.is_grad_enabled())
        return frozen and not torch.compiler.is_compiling()


def _versions(model: nn.Module) -> tuple[Any, ...]:
    state = itertools.chain(model.parameters(), model.buffers())
    return tuple((tensor.data_ptr(), tensor.dtype, tensor._version) for tensor in state)
