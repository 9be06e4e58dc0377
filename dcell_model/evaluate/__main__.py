"""`python -m dcell_model.evaluate`: the stage of DVC."""

from pathlib import Path

from data_specs.errors import exit_with_message
from data_specs.parameters import load
from dcell_model.evaluate import run

if __name__ == "__main__":
    with exit_with_message():
        results = Path("results")
        parameters = load(Path("params.yaml"))
        run(
            Path("data"), results / "train", results / "baselines.json", results,
            parameters.evaluate,
        )  # fmt: skip
