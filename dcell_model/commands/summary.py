"""The command `dcell summary`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from data_specs.command_line import File, Folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Print what a build kept, a run's scores beside the baselines, and where the plots are.

    Example:
      dcell summary --ledger results/ledger.json --run results
    """

    ledger: Annotated[File, "ledger.json of the build, or of the stage ledger"]
    run: Annotated[Folder, "folder of a run on it"]

    def __call__(self) -> None:
        print_finished(self.ledger, self.run)


def print_finished(ledger: Path, folder: Path) -> None:
    """Print the summary of a run whose build has this ledger."""
    from data_specs.layout import MARKER, read_json
    from dcell_model.checkpoint import REPORT
    from dcell_model.evaluate import print_summary

    page = folder / REPORT
    # The ledger lies in its build, or beside `data_plots/` among the results of DVC's stages.
    of_data = "plots" if (ledger.parent / MARKER).is_file() else "data_plots"
    plots = sorted({*ledger.parent.glob(f"{of_data}/*.png"), *folder.glob("plots/*.png")})
    report = page if page.is_file() else None
    print_summary(read_json(ledger), read_json(folder / "metrics.json"), plots, report=report)
