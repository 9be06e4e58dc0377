"""`python -m dcell_model.train`: DVC's stage, and what torchrun starts."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from data_specs.errors import exit_with_message
from data_specs.outputs import output_path
from dcell_model.train import run
from dcell_model.train.parameters import print_notes
from dcell_model.train.resumption import parameters_of, saying_how_to_go_on

COMMAND = "python -m dcell_model.train"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the stage on `data/`, or as the arguments say."""
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="Train on a build.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  torchrun --nproc-per-node 2 -m dcell_model.train --data data --out run",
    )
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR")
    parser.add_argument("--out", type=output_path, metavar="DIR")
    parser.add_argument("--params", type=Path, metavar="F",
                        help="in place of the parameters that the build was made with")  # fmt: skip
    parser.add_argument("--set", nargs="+", default=[], action="extend", metavar="KEY=VALUE")
    parser.add_argument("--resume", action="store_true", help="continue the run in the folder")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier run")
    with exit_with_message():
        given = parser.parse_args(arguments)
        out = given.out or Path("results/train")
        with saying_how_to_go_on(given.data, out, COMMAND):
            parameters, notes = parameters_of(
                given.data, out, given.set, params=given.params, resume=given.resume, where=COMMAND
            )
            print_notes(notes)
            run(given.data, out, parameters, resume=given.resume,
                overwrite=given.overwrite or not given.out)  # fmt: skip


if __name__ == "__main__":
    main()
