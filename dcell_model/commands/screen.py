"""The options of `dcell screen`."""

import argparse
from pathlib import Path
from typing import Any

from data_specs.outputs import output_path
from data_specs.terminal import as_typed
from dcell_model.commands.options import add_checkpoint, add_command, add_overwrite, positive


def add_to(commands: Any) -> None:
    """Add the command to those of `dcell`."""
    screen = add_command(
        commands,
        "screen",
        help="predict all pairs, or all triples around some genes, and their interactions",
        description="Predict every genotype of an order from a checkpoint alone, and how far it is "
        "from what its parts foretell. A screen that was stopped goes on where it was.",
        epilog="examples:\n"
        "  dcell screen --checkpoint runs/first/checkpoint.pt --order 2 --out screens/pairs\n"
        "  dcell screen --checkpoint runs/first/checkpoint.pt --order 3 \\\n"
        "    --with 'RAD51|RAD52' TFC3 --threshold 0.08 --out screens/rad\n\n"
        "scores (the column 'interaction'):\n"
        "  prediction      the prediction itself, for a model trained on interactions\n"
        "  multiplicative  e_ij = f_ij - f_i f_j and\n"
        "                  t_ijk = f_ijk - f_i f_j f_k - e_ij f_k - e_ik f_j - e_jk f_i\n"
        "                  with f = prediction / prediction for the wild type\n"
        "  additive        the same with differences from the wild type that add up\n"
        "  auto            multiplicative for a phenotype called fitness, prediction for one\n"
        "                  called interaction, epsilon or tau",
    )  # fmt: skip
    add_checkpoint(screen)
    screen.add_argument("--order", type=int, choices=(2, 3), required=True,
                        help="genes deleted at once")  # fmt: skip
    screen.add_argument(
        "--with",
        metavar="GENES",
        type=as_typed,
        nargs="+",
        default=[],
        dest="queries",
        help="only genotypes with one of these genes, or with all of 'A|B'",
    )
    screen.add_argument("--genes", metavar="F", type=Path,
                        help="file of the genes to combine, of any form that predict reads "
                        "(default: all)")  # fmt: skip
    screen.add_argument(
        "--phenotype", metavar="NAME", type=as_typed, help="default: the model's first"
    )
    screen.add_argument("--score", choices=("auto", "prediction", "multiplicative", "additive"),
                        default="auto", help="what an interaction is, see below")  # fmt: skip
    screen.add_argument("--top", metavar="N", type=positive, default=100,
                        help="strongest to list in top.parquet (default: 100)")  # fmt: skip
    screen.add_argument("--threshold", metavar="X", type=float,
                        help="keep only |interaction| >= X")  # fmt: skip
    screen.add_argument("--part-rows", metavar="N", type=positive, default=100_000,
                        help="genotypes a part (default: 100,000)")  # fmt: skip
    screen.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    screen.add_argument("--out", metavar="DIR", type=output_path, required=True,
                        help="folder of the screen")  # fmt: skip
    add_overwrite(screen, "replace a screen with other settings; what is not its own stays")
    screen.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from dcell_model import screen
    from dcell_model.predict import open_run, print_unknown
    from dcell_model.screen import print_report

    settings = screen.Settings(
        order=options.order,
        queries=options.queries,
        genes=options.genes,
        phenotype=options.phenotype,
        score=options.score,
        threshold=options.threshold,
        part_rows=options.part_rows,
    )
    summary = screen.run(
        options.checkpoint, options.out, settings, top=options.top, device=options.device,
        overwrite=options.overwrite,
    )  # fmt: skip
    if summary["left_out"]:
        names = open_run(options.checkpoint).names
        print_unknown(names, summary["left_out"], "left out of the screen")
    print_report(options.out, summary)
