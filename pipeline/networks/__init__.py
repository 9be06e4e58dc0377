"""Stage `networks`: the gene networks, on the genes of the store."""

from pipeline.networks.stage import run

__all__ = [
    "run",
]
