"""Stage `simulate`: raw inputs drawn from a hidden hierarchical truth."""

from pipeline.simulate.stage import run, write

__all__ = [
    "run",
    "write",
]
