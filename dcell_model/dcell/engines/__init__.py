"""Ways to run one DCell: each maps a model and a batch to the predictions of all heads."""

from dcell_model.dcell.engines.choice import pick_engine, product_size
from dcell_model.dcell.engines.combined import Units, combine, units_of
from dcell_model.dcell.engines.incremental import forward_with_states
from dcell_model.dcell.engines.reference import normalise
from dcell_model.dcell.ranks import Ranks

__all__ = [
    "Ranks",
    "Units",
    "combine",
    "forward_with_states",
    "normalise",
    "pick_engine",
    "product_size",
    "units_of",
]
