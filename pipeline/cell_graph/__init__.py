"""Stage `cell_graph`: the terms and genes of the stratified hierarchy, numbered."""

from pipeline.cell_graph.control import WHAT, moved
from pipeline.cell_graph.stage import control_of, of_hierarchy, run

__all__ = [
    "WHAT",
    "control_of",
    "moved",
    "of_hierarchy",
    "run",
]
