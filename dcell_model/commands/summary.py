"""The options of `dcell summary`."""

import argparse
from pathlib import Path
from typing import Any

from dcell_model.commands.options import add_command


def add_to(commands: Any) -> None:
    """Add the command to those of `dcell`."""
    summary = add_command(
        commands,
        "summary",
        help="print what was kept, the scores beside the baselines, and where the plots are",
        description="Print the summary of a finished run.",
        epilog="example:\n  dcell summary --ledger results/ledger.json --run results",
    )
    summary.add_argument("--ledger", metavar="F", type=Path, required=True)
    summary.add_argument("--run", metavar="DIR", type=Path, required=True, dest="folder")
    summary.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    print_finished(options.ledger, options.folder)


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
