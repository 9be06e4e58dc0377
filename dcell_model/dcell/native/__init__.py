"""The pass over the hierarchy in C++, with a plain C interface."""

from dcell_model.dcell.native.hierarchy import NativeHierarchy
from dcell_model.dcell.native.interface import REAL, Settings, call
from dcell_model.dcell.native.library import VARIABLE, Tiling, instruction_set, load

__all__ = [
    "REAL", "VARIABLE", "NativeHierarchy", "Settings", "Tiling", "call", "instruction_set", "load",
]  # fmt: skip
