"""Stage `ledger`: one account of what every step kept and dropped, with plots."""

from pipeline.ledger.stage import run

__all__ = [
    "run",
]
