"""DCell on built data: a store of mutant states, the network, its training and predictions.

    from dcell_model import DCell, MutantStateDataset, dcell_loss, open_run

Each name is imported when it is asked for; `dcell_model.predict` is the package of that name.
"""

import importlib
import os
from typing import Any

__all__ = ["DCell", "MutantStateDataset", "dcell_loss", "open_run", "predict"]
_WHERE = {
    "DCell": "dcell_model.dcell",
    "MutantStateDataset": "dcell_model.data",
    "dcell_loss": "dcell_model.dcell",
    "open_run": "dcell_model.predict",
}

# GNU OpenMP reads this once, when torch loads it: how long a thread spins at a barrier before it
# sleeps. Its own 300,000 turns make training many times slower beside other busy processes.
# A value that the user set stays.
if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = "1000"


def __getattr__(name: str) -> Any:
    """A name of `__all__`, or `__version__`, looked up when somebody asks."""
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name == "predict":
        return importlib.import_module("dcell_model.predict")
    if name != "__version__":
        raise AttributeError(f"module 'dcell_model' has no attribute '{name}'")
    from data_specs.version import version

    return version()
