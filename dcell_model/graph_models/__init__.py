"""The models on gene networks alone, to compare with DCell: DANGO and multigraph."""

from dcell_model.graph_models.dango import Dango, dango_loss, pretrain, require_dango
from dcell_model.graph_models.gene_sets import pad
from dcell_model.graph_models.multigraph import Multigraph

__all__ = [
    "Dango",
    "Multigraph",
    "dango_loss",
    "pad",
    "pretrain",
    "require_dango",
]
