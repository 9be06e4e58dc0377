"""The options of `dcell train`."""

import argparse
from pathlib import Path
from typing import Any

from data_specs.outputs import output_path
from dcell_model.commands.options import add_command, add_overwrite, positive
from dcell_model.commands.summary import print_finished

COMMAND = "dcell train"
RESUME = (
    "go on after the last finished epoch, with the run's own parameters; train.epochs may be "
    "raised: a cosine schedule then goes on along the longer cosine, so the learning rate jumps up"
)


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
    train.add_argument(
        "--out", metavar="DIR", type=output_path, required=True, help="folder of the run"
    )
    train.add_argument("--preset", metavar="NAME", help="paper-2018, torchcell, dcell_2017-07-19")
    train.add_argument("--parameters", metavar="F", type=Path,
                       help="in place of those of the build, e.g. of dcell tune")  # fmt: skip
    train.add_argument("--set", metavar="KEY=VALUE", nargs="+", default=[], action="extend",
                       help="parameters of the training, e.g. train.epochs=20")  # fmt: skip
    train.add_argument("--model", metavar="NAME", help="same as train.model")
    train.add_argument("--seeds", metavar="N", type=positive,
                       help="an ensemble of N networks; same as train.members")  # fmt: skip
    train.add_argument("--jobs", metavar="N", type=positive, default=1,
                       help="networks of an ensemble trained at a time (default: 1)")  # fmt: skip
    train.add_argument("--device", choices=("auto", "cpu", "cuda"), help="same as train.device")
    train.add_argument("--resume", action="store_true", help=RESUME)
    add_overwrite(train, "replace an earlier run in the folder; what is not its own stays")
    train.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from data_specs.output_folders import taken
    from dcell_model import baselines, evaluate, train
    from dcell_model.checkpoint import KIND, REPORT, ledger_of
    from dcell_model.report import stage as report
    from dcell_model.train import parameters_of, print_notes, saying_how_to_go_on

    data, out = options.data, options.out
    shortcuts = {
        "train.device": options.device, "train.model": options.model,
        "train.members": options.seeds,
    }  # fmt: skip
    assignments = [*options.set, *(f"{key}={v}" for key, v in shortcuts.items() if v)]
    with taken(out, KIND, overwrite=options.overwrite or options.resume):
        with saying_how_to_go_on(data, out, COMMAND):
            parameters, notes = parameters_of(
                data, out, assignments, preset=options.preset, params=options.parameters,
                resume=options.resume, where=COMMAND,
            )  # fmt: skip
            print_notes(notes)
            train.run(
                data, out, parameters, resume=options.resume, overwrite=options.overwrite,
                jobs=options.jobs,
            )  # fmt: skip
        baselines.run(data, out / "baselines.json", parameters)
        evaluate.run(data, out, out / "baselines.json", out, parameters.evaluate)
        ledger = ledger_of(data, out)
        report.run(data, out, out / REPORT)
    print_finished(ledger, out)
