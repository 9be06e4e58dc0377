"""DCell on built data: `dataset` reads the store, `model` is the network, `train` fits it."""

import os

# GNU OpenMP reads this once, when torch loads it: how long a thread spins at a barrier before it
# sleeps. Its own 300,000 turns make training many times slower beside other busy processes.
# What the user set is left as it is.
if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = "1000"


def __getattr__(name: str) -> str:
    """`__version__`, looked up when somebody asks."""
    if name != "__version__":
        raise AttributeError(f"module 'dcell_model' has no attribute '{name}'")
    from data_specs.version import version

    return version()
