"""`dcell tune`: search the training recipe on one's own data."""

from dcell_model.tune.folder import KIND, PARAMETERS, PLOTS, RECORD
from dcell_model.tune.space import search_space

__all__ = [
    "KIND",
    "PARAMETERS",
    "PLOTS",
    "RECORD",
    "search_space",
]
