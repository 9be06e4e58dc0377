"""Stage `train`: fit a DCell, or what `train.model` names, to the training part of a store."""

from dcell_model.train.members import run

__all__ = ["run"]
