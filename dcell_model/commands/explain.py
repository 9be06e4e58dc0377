"""The options of `dcell explain`."""

import argparse
from pathlib import Path
from typing import Any

from data_specs.outputs import output_path
from data_specs.terminal import as_typed
from dcell_model.commands.options import add_command, add_overwrite


def add_to(commands: Any) -> None:
    """Add the command to those of `dcell`."""
    explain = add_command(
        commands,
        "explain",
        help="which subsystems the predictions rest on, judged on held-out genotypes",
        description="Score every term on genotypes that the model was not trained on: RLIPP, "
        "accuracy of its head, ablation, and gradient × input, each with a p-value by permutation.",
        epilog="examples:\n"
        "  dcell explain --checkpoint runs/first/checkpoint.pt --data data/kuzmin2018 \\\n"
        "    --out explained\n"
        "  dcell explain --checkpoint runs/first/checkpoint.pt --data data/kuzmin2018 \\\n"
        "    --terms GO:0006281 'DNA repair' --permutations 10000 --out explained-repair\n\n"
        "The table's columns are described in dcell_model/explain/importance.py.",
    )
    for option, kind, metavar, text in (
        ("--checkpoint", Path, "F", "checkpoint.pt of a run"),
        ("--data", Path, "DIR", "folder of the build that it was trained on"),
        ("--out", output_path, "DIR", "folder to write"),
    ):
        explain.add_argument(option, metavar=metavar, type=kind, required=True, help=text)
    explain.add_argument("--part", choices=("test", "val"), default="test",
                         help="held-out genotypes to judge on (default: test)")  # fmt: skip
    explain.add_argument(
        "--phenotype", metavar="NAME", type=as_typed, help="default: the model's first"
    )
    explain.add_argument("--terms", metavar="TERM", type=as_typed, nargs="+", default=[],
                         help="ids or names (default: all)")  # fmt: skip
    for option, default, text in (
        ("--permutations", 200, "no p-value is below 1 / (N + 1)"),
        ("--min-samples", 20, "terms that fewer genotypes touch get no scores"),
        ("--seed", 0, "of halves and permutations"),
    ):
        explain.add_argument(option, metavar="N", type=int, default=default,
                             help=f"{text} (default: {default})")  # fmt: skip
    explain.add_argument("--no-rlipp", dest="rlipp", action="store_false",
                         help="leave out RLIPP, which takes most of the time")  # fmt: skip
    add_overwrite(explain, "replace an earlier explanation; what is not its own stays")
    explain.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from dcell_model.explain import Settings
    from dcell_model.explain import command as run
    from dcell_model.explain import terminal as ranking

    settings = Settings(
        permutations=options.permutations,
        min_samples=options.min_samples,
        seed=options.seed,
        rlipp=options.rlipp,
    )
    description = run.run(
        options.checkpoint,
        options.data,
        options.out,
        part=options.part,
        phenotype=options.phenotype,
        terms=options.terms,
        settings=settings,
        overwrite=options.overwrite,
    )
    ranking.print_report(options.out / run.TABLE, description, options.out)
