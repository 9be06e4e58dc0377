"""The options of `dcell train`."""

import argparse
from pathlib import Path
from typing import Any

from dcell_model.commands.options import add_command
from dcell_model.commands.summary import print_finished


def add_to(commands: Any) -> None:
    """Add the command to those of `dcell`."""
    train = add_command(
        commands,
        "train",
        help="train, evaluate, compare with the baselines, and report",
        description="Train a DCell, evaluate it, and compare it with the baselines on one split.",
        epilog="example:\n  dcell train --data data/kuzmin2018 --set train.epochs=20 "
        "model.width_genes=direct \\\n    --out runs/first",
    )
    train.add_argument("--data", metavar="DIR", type=Path, required=True, help="folder of a build")
    train.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder of the run")
    train.add_argument("--preset", metavar="NAME", help="paper-2018, torchcell, dcell_2017-07-19")
    train.add_argument("--set", metavar="KEY=VALUE", nargs="+", default=[], action="extend",
                       help="any parameter, e.g. train.epochs=20")  # fmt: skip
    train.add_argument("--model", choices=("dcell", "dango"), help="same as train.model")
    train.add_argument("--device", choices=("auto", "cpu", "cuda"), help="same as train.device")
    train.add_argument("--resume", action="store_true",
                       help="continue after the last finished epoch of the run")  # fmt: skip
    train.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from data_specs.parameter_input import override
    from data_specs.parameters import resolve
    from dcell_model import baselines, evaluate, train
    from dcell_model.report import run as report
    from dcell_model.run_folder import REPORT, build_parameters, ledger_of

    given = build_parameters(options.data)
    if options.preset:
        given["preset"] = options.preset
    shortcuts = {"train.device": options.device, "train.model": options.model}
    assignments = [*options.set, *(f"{key}={v}" for key, v in shortcuts.items() if v)]
    parameters = resolve(override(given, assignments), where="dcell train")
    train.run(options.data, options.out, parameters, resume=options.resume)
    baselines.run(options.data, options.out / "baselines.json", parameters)
    evaluate.run(options.data, options.out, options.out / "baselines.json", options.out)
    ledger = ledger_of(options.data, options.out)
    report.run(options.data, options.out, options.out / REPORT)
    print_finished(ledger, options.out)
