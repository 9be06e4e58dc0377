"""Calls of the library's functions: settings, pointers, and an error where memory ran out."""

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from data_specs.parameters import Model as ModelConfig
from dcell_model.dcell.native.library import load

REAL = {torch.float32: "float", torch.float64: "double"}  # as functions of the library are named
ACTIVATIONS = {"tanh": 0, "relu": 1, "gelu": 2}
NORMS = {"none": 0, "batch": 1, "layer": 2}
_FLAGS = ("activation", "norm", "norm_first", "layers", "disruption", "training", "phenotypes",
          "known", "keep_inputs", "threads")  # fmt: skip


class Settings(ctypes.Structure):
    """The struct `Settings` of `hierarchy.h`."""

    _fields_ = [*((name, ctypes.c_int32) for name in _FLAGS), ("samples", ctypes.c_int64)]

    @classmethod
    def of(cls, config: ModelConfig, **others: int) -> "Settings":
        """Those of a model's variant, with `training`, `phenotypes`, `samples`, …; else 0."""
        others.setdefault("threads", torch.get_num_threads())
        return cls(
            activation=ACTIVATIONS[config.activation],
            norm=NORMS[config.norm],
            norm_first=config.norm_order == "norm_act",
            layers=config.layers,
            disruption=config.gene_input == "disruption",
            **others,
        )


def call(name: str, like: Tensor, *arguments: Any) -> None:
    """Call `dcell_<name>_float` or `_double`, as `like` is.

    Structures and lists of tensors are handed over by their address.

    Raises:
        MemoryError: the library could not allocate its own.
    """
    library = load()
    assert library is not None
    given = [_argument(argument) for argument in arguments]
    if getattr(library, f"dcell_{name}_{REAL[like.dtype]}")(*given):
        raise MemoryError("no room for the pass over a batch; take a smaller batch size")


def _argument(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return argument.data_ptr()
    if isinstance(argument, ctypes.Structure):
        return ctypes.byref(argument)
    if isinstance(argument, Sequence):
        addresses = (t.data_ptr() if t.numel() else 0 for t in argument)
        return (ctypes.c_void_p * len(argument))(*addresses)
    return argument
