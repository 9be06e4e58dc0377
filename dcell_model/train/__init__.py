"""Stage `train`: fit a DCell, or the network of `train.model`, to a store's training part."""

from dcell_model.train.members import run, with_seed_above
from dcell_model.train.overfit import refuse_overfit
from dcell_model.train.parameters import print_notes, refuse_of_other_model, training_parameters
from dcell_model.train.resumption import (
    FREE,
    parameters_of,
    refuse_changes,
    saying_how_to_go_on,
)
from dcell_model.train.state import DivergedError, Row, TrainingState

__all__ = [
    "FREE",
    "DivergedError",
    "Row",
    "TrainingState",
    "parameters_of",
    "print_notes",
    "refuse_changes",
    "refuse_of_other_model",
    "refuse_overfit",
    "run",
    "saying_how_to_go_on",
    "training_parameters",
    "with_seed_above",
]
