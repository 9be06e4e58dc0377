"""Stage `ledger`: one account of the records that every step kept and dropped, with plots."""

from pipeline.ledger.stage import run

__all__ = [
    "run",
]
