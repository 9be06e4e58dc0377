"""The DANGO-style model: what gene networks alone say of a genotype, beside DCell."""

from dcell_model.dango.model import Dango
from dcell_model.dango.pretraining import pretrain

__all__ = [
    "Dango",
    "pretrain",
]
