"""`dcell compare`: models on the same splits, several seeds, with paired differences."""

from dcell_model.compare.command import KIND, run

__all__ = [
    "KIND",
    "run",
]
