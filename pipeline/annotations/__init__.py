"""Stage `annotations`: from annotation lines to pairs of term and gene."""

from pipeline.annotations.stage import run

__all__ = [
    "run",
]
