"""The DANGO-style model: encoders that are pre-trained on a network each, joined for a gene."""

from dcell_model.graph_models.dango.loss import dango_loss
from dcell_model.graph_models.dango.model import Dango, require_dango
from dcell_model.graph_models.dango.pretraining import pretrain

__all__ = [
    "Dango",
    "dango_loss",
    "pretrain",
    "require_dango",
]
