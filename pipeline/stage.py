"""How a stage of `dvc.yaml` runs: on `params.yaml` and the folder `data/`."""

from collections.abc import Callable
from pathlib import Path

from data_specs.errors import exit_with_message
from data_specs.layout import DataLayout
from data_specs.parameters import Parameters, load


def run_stage(run: Callable[[Parameters, DataLayout], None]) -> None:
    """Run one stage from the command line (`python -m pipeline.NAME`)."""
    with exit_with_message():
        run(load(Path("params.yaml")), DataLayout(Path("data")))
