"""Stage `hierarchy`: the annotated terms under one root, pruned step by step."""

from pipeline.hierarchy.stage import run
from pipeline.hierarchy.unmet_names import unmet

__all__ = [
    "run",
    "unmet",
]
