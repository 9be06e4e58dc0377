"""The options of `dcell report`."""

import argparse
from pathlib import Path
from typing import Any

from data_specs.outputs import output_path
from dcell_model.commands.options import add_command


def add_to(commands: Any) -> None:
    """Add the command to those of `dcell`."""
    report = add_command(
        commands,
        "report",
        help="write one HTML page that shows a run, and how to repeat it",
        description="Write one self-contained HTML page: sources, what was kept, how the model "
        "learnt, what it predicts beside the baselines, and how to repeat the run.",
        epilog="example:\n  dcell report --data data/kuzmin2018 --run runs/first",
    )
    report.add_argument("--data", metavar="DIR", type=Path, required=True, help="folder of a build")
    report.add_argument("--run", metavar="DIR", type=Path, required=True, dest="folder",
                        help="folder of a run on it")  # fmt: skip
    report.add_argument("--out", metavar="F", type=output_path,
                        help="page to write (default: report.html in the run)")  # fmt: skip
    report.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from dcell_model.checkpoint import REPORT
    from dcell_model.report import stage as run

    out = options.out or options.folder / REPORT
    run.run(options.data, options.folder, out)
    print(out)
