"""`python -m pipeline.ledger`: the stage of DVC."""

from pathlib import Path

from data_specs.errors import exit_with_message
from data_specs.layout import DataLayout
from pipeline.ledger import run

if __name__ == "__main__":
    with exit_with_message():
        run(DataLayout(Path("data")), Path("results/ledger.json"), Path("results/data_plots"))
