"""Stage `split`: which samples train a model, choose its settings, and judge it."""

from pipeline.split.stage import again, run

__all__ = [
    "again",
    "run",
]
