"""The multigraph model: interaction over several gene networks, without pre-training."""

from dcell_model.graph_models.multigraph.model import Multigraph

__all__ = [
    "Multigraph",
]
