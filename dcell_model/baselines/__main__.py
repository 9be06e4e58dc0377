"""`python -m dcell_model.baselines`: DVC's stage."""

from pathlib import Path

from data_specs.errors import exit_with_message
from data_specs.parameters import load
from dcell_model.baselines import run

if __name__ == "__main__":
    with exit_with_message():
        run(Path("data"), Path("results/baselines.json"), load(Path("params.yaml")))
