"""The DANGO-style model: predictions from gene networks alone, to compare with DCell."""

from dcell_model.dango.model import Dango
from dcell_model.dango.pretraining import pretrain

__all__ = [
    "Dango",
    "pretrain",
]
