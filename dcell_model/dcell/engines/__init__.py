"""Ways to run one DCell: each maps a model and a batch to the predictions of all heads."""

from dcell_model.dcell.engines.combined import Units, combine, units_of
from dcell_model.dcell.engines.incremental import PASSES, forward_with_states
from dcell_model.dcell.engines.reference import normalise
from dcell_model.dcell.engines.work import pass_of, product_size
from dcell_model.dcell.ranks import Ranks

__all__ = [
    "PASSES",
    "Ranks",
    "Units",
    "combine",
    "forward_with_states",
    "normalise",
    "pass_of",
    "product_size",
    "units_of",
]
