"""Stage `store`: the mutant state of every genotype, in LMDB."""

from pipeline.store.stage import run

__all__ = [
    "run",
]
