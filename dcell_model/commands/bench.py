"""The options of `dcell bench`."""

import argparse
from pathlib import Path
from typing import Any

from data_specs.outputs import output_path
from dcell_model.commands.options import add_command


def add_to(commands: Any) -> None:
    """Add the command to those of `dcell`."""
    bench = add_command(
        commands,
        "bench",
        help="time training steps, loader and store build on this machine",
        description="Time training steps of all engines, the loader and the build of a "
        "store; print tables and write a record.",
        epilog="examples:\n  dcell bench --out bench.json\n"
        "  dcell bench --plan quick --data data/kuzmin2018 --out bench.json",
    )
    bench.add_argument(
        "--out", metavar="F", type=output_path, required=True, help="record to write"
    )
    bench.add_argument("--data", metavar="DIR", type=Path,
                       help="folder of a build (default: simulated at yeast scale)")  # fmt: skip
    bench.add_argument("--plan", choices=("full", "quick", "tiny"), default="full",
                       help="how much to measure: about 25, 2 and 1 minutes")  # fmt: skip
    bench.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    bench.add_argument("--profiles", metavar="DIR", type=output_path,
                       help="also write where a step of each engine spends its time")  # fmt: skip
    bench.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    import sys

    from dcell_model.bench import command as run
    from dcell_model.bench import table

    record = run.run(
        run.PLANS[options.plan],
        options.out,
        data=options.data,
        device=options.device,
        profiles=options.profiles,
        command=["dcell", *sys.argv[1:]],
    )
    table.print_record(record)
