"""The options of `dcell compare`."""

import argparse
from pathlib import Path
from typing import Any

from data_specs.outputs import output_path
from dcell_model.commands.options import add_command


def add_to(commands: Any) -> None:
    """Add the command to those of `dcell`."""
    compare = add_command(
        commands,
        "compare",
        help="train DCell, simpler models and DCell on controls on the same splits, several times",
        description="Train models on the same splits with several seeds; print mean ± sd, and "
        "differences to the first model on the same split and seed, mean ± standard error.",
        epilog="example:\n  dcell-data split data/kuzmin2018 --methods random gene --seeds 0 1 2\n"
        "  dcell-data control data/kuzmin2018 --controls genes terms --seeds 0 1 2\n"
        "  dcell compare --data data/kuzmin2018 --out runs/compared --seeds 0 1 2 \\\n"
        "      --models dcell dcell:genes dcell:terms mlp ridge",
    )
    compare.add_argument("--data", metavar="DIR", type=Path, required=True)
    compare.add_argument("--out", metavar="DIR", type=output_path, required=True,
                         help="folder of the comparison; what is done in it is kept")  # fmt: skip
    compare.add_argument("--splits", nargs="+", default=["random", "gene"], metavar="METHOD")
    compare.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N")
    compare.add_argument("--models", nargs="+", metavar="MODEL",
                         help="what train.model names, a baseline (mean, ridge, …), or "
                         "dcell:genes and dcell:terms, on what `dcell-data control` made "
                         "(default: what the build has the data for, with fm, mlp and ridge as "
                         "the baselines)")  # fmt: skip
    compare.add_argument("--set", metavar="KEY=VALUE", nargs="+", default=[], action="extend",
                         help="parameters of the training, e.g. train.epochs=20")  # fmt: skip
    compare.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    import sys

    from dcell_model import compare
    from dcell_model.compare import models as compared_models
    from dcell_model.compare import terminal as comparison_table
    from dcell_model.train import print_notes, training_parameters

    own = {"train.seed": "--seeds", "baselines.seed": "--seeds", "train.model": "--models"}
    parameters, notes = training_parameters(
        options.data, options.set, where="dcell compare", options=own
    )
    print_notes(notes)
    record = compare.run(
        options.data,
        options.out,
        parameters,
        methods=options.splits,
        seeds=options.seeds,
        models=options.models or compared_models.usual(options.data),
        command=["dcell", *sys.argv[1:]],
    )
    comparison_table.print_record(record)
