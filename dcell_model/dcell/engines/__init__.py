"""Ways to run one DCell: each maps a model and a batch to the predictions of all heads."""

from dcell_model.dcell.engines.combined import Units, can_combine, combine, units_of
from dcell_model.dcell.engines.incremental import PASSES, forward_with_states
from dcell_model.dcell.engines.native_pairs import NativeUnits
from dcell_model.dcell.engines.reference import normalise
from dcell_model.dcell.engines.work import WorkPlan, work_plan
from dcell_model.dcell.ranks import Ranks

__all__ = [
    "PASSES",
    "NativeUnits",
    "Ranks",
    "Units",
    "WorkPlan",
    "can_combine",
    "combine",
    "forward_with_states",
    "normalise",
    "units_of",
    "work_plan",
]
