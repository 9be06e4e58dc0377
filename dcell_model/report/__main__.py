"""Stage `report`: the page of the run that DVC's stages have trained and evaluated."""

from pathlib import Path

from data_specs.errors import exit_with_message
from dcell_model.report.stage import run

if __name__ == "__main__":
    with exit_with_message():
        run(Path("data"), Path("results"), Path("results/report.html"))
