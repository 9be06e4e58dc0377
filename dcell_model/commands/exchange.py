"""The options of `dcell export` and `dcell import`."""

import argparse
from pathlib import Path
from typing import Any

from data_specs.outputs import output_path
from dcell_model.commands.options import add_command


def add_to(commands: Any) -> None:
    """Add the command to those of `dcell`."""
    export = add_command(
        commands,
        "export",
        help="write a checkpoint term by term, as an .npz without pickles",
        description="Write a checkpoint's parameters under the names of their terms.",
        epilog="example:\n  dcell export --checkpoint runs/first/checkpoint.pt --out first.npz",
    )
    export.add_argument("--checkpoint", metavar="F", type=Path, required=True)
    export.set_defaults(run=_export)
    back = add_command(
        commands,
        "import",
        help="make a checkpoint of such a file",
        description="Make a checkpoint of parameters by term; it predicts the same to the bit.",
        epilog="example:\n  dcell import --parameters first.npz --out model.pt",
    )
    back.add_argument("--parameters", metavar="F", type=Path, required=True)
    back.set_defaults(run=_import)
    for parser in (export, back):
        parser.add_argument(
            "--out", metavar="F", type=output_path, required=True, help="file to write"
        )


def _export(options: argparse.Namespace) -> None:
    from dcell_model import checkpoint
    from dcell_model.checkpoint import per_term_file
    from dcell_model.written_folders import refuse_file

    refuse_file(options.out, options.checkpoint, suffix=".npz", kind="export")
    state = checkpoint.load(options.checkpoint)
    arrays = per_term_file.export(state, options.checkpoint, options.out)
    terms = checkpoint.cell_graph_of(state, options.checkpoint).num_terms
    print(f"{options.out}: {terms:,} terms, {arrays:,} arrays")


def _import(options: argparse.Namespace) -> None:
    from dcell_model import checkpoint
    from dcell_model.checkpoint import per_term_file
    from dcell_model.written_folders import refuse_file

    refuse_file(options.out, options.parameters, suffix=".pt", kind="checkpoint")
    sha256 = checkpoint.save(per_term_file.import_(options.parameters), options.out)
    print(f"{options.out}: a checkpoint with SHA-256 {sha256}")
