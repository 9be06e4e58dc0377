"""Stage `genotypes`: all given tables as one, a row a distinct set of deleted genes."""

from pipeline.genotypes.stage import run

__all__ = [
    "run",
]
