"""The wild type's pre-activations in evaluation, computed once."""

import itertools
from typing import Any

import torch
from torch import Tensor, nn


class WildTypeCache:
    """The wild type's pre-activations in evaluation, kept until a parameter changes.

    Changes are seen by autograd's version counters: in-place operations count, `.data` does not,
    and neither does a fused optimizer. So a pass for training ends what is kept, too.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Keep nothing."""
        self._state: tuple[Any, ...] = ()
        self._value: Tensor | None = None

    def get(self, model: nn.Module) -> Tensor:
        """The kept `[R]`, or an empty tensor."""
        if not self._usable(model):
            if not torch.compiler.is_compiling():
                self.clear()
        elif self._value is not None and self._state == _versions(model):
            return self._value
        return next(model.parameters()).new_empty(0)

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
