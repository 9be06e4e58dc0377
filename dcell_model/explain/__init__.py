"""The subsystems on which a trained DCell depends, scored on genotypes that it has not seen."""

from dcell_model.explain.command import TABLE, run
from dcell_model.explain.importance import (
    TESTED,
    Settings,
    importances,
    reasons,
    table_of,
)
from dcell_model.explain.states import TouchedStates
from dcell_model.explain.terminal import SIGNIFICANT, strongest

__all__ = [
    "SIGNIFICANT",
    "TABLE",
    "TESTED",
    "Settings",
    "TouchedStates",
    "importances",
    "reasons",
    "run",
    "strongest",
    "table_of",
]
