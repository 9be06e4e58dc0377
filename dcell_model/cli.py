"""The command `dcell`: train a DCell on built data, ask it, and measure what that costs."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_specs.errors import exit_with_message


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `dcell`; input errors end it with one line and status 1."""
    options = _parser().parse_args(arguments)
    with exit_with_message():
        options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dcell", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser(
        "train",
        help="train, evaluate and compare with the baselines",
        description="Train a DCell, evaluate it, and compare it with the baselines on one split.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  dcell train --data data/kuzmin2018 --set train.epochs=20 "
        "model.width_genes=direct \\\n    --out runs/first",
    )
    train.add_argument("--data", metavar="DIR", type=Path, required=True, help="folder of a build")
    train.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder of the run")
    train.add_argument("--preset", metavar="NAME", help="paper-2018, torchcell, dcell_2017-07-19")
    train.add_argument("--set", metavar="KEY=VALUE", nargs="+", default=[], action="extend",
                       help="any parameter, e.g. train.epochs=20")  # fmt: skip
    train.add_argument("--device", choices=("auto", "cpu", "cuda"), help="same as train.device")
    train.add_argument("--resume", action="store_true",
                       help="continue after the last finished epoch of the run")  # fmt: skip
    train.set_defaults(run=_train)
    summary = commands.add_parser(
        "summary",
        help="print what was kept, the scores beside the baselines, and where the plots are",
        description="Print the summary of a finished run.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  dcell summary --ledger results/ledger.json --run results",
    )
    summary.add_argument("--ledger", metavar="F", type=Path, required=True)
    summary.add_argument("--run", metavar="DIR", type=Path, required=True, dest="folder")
    summary.set_defaults(run=_summary)
    predict = commands.add_parser(
        "predict",
        help="predict genotypes without labels, and what becomes of every subsystem",
        description="Predict genotypes from a checkpoint alone. Genes go by their systematic "
        "names, standard names or synonyms.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  dcell predict --checkpoint runs/first/checkpoint.pt --genotypes 'TFC3,YBR002C; RAD51'\n"
        "  dcell predict --checkpoint runs/first/checkpoint.pt --genotypes mutants.csv \\\n"
        "    --subsystems --out predicted.parquet\n\n"
        "The tables' columns are described in dcell_model/genotype_predictions.py.",
    )
    _add_checkpoint(predict)
    predict.add_argument("--genotypes", metavar="G", required=True,
                         help="genes separated by | or , with ; between genotypes; or a file: a "
                         "genotype a line, or a column 'genes' in CSV, TSV or Parquet")  # fmt: skip
    predict.add_argument("--subsystems", action="store_true",
                         help="also the state of every subsystem that deletions reach, into "
                         "NAME.subsystems.SUFFIX")  # fmt: skip
    predict.add_argument("--out", metavar="F", type=Path,
                         help=".parquet, .csv or .tsv (default: on the terminal)")  # fmt: skip
    predict.set_defaults(run=_predict)
    _add_screen(commands)
    bench = commands.add_parser(
        "bench",
        help="time training steps, loader and store build on this machine",
        description="Time training steps of all engines, the loader and the build of a "
        "store; print tables and write a record.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  dcell bench --out bench.json\n"
        "  dcell bench --plan quick --data data/kuzmin2018 --out bench.json",
    )
    bench.add_argument("--out", metavar="F", type=Path, required=True, help="record to write")
    bench.add_argument("--data", metavar="DIR", type=Path,
                       help="folder of a build (default: simulated at yeast scale)")  # fmt: skip
    bench.add_argument("--plan", choices=("full", "quick", "tiny"), default="full",
                       help="how much to measure: about 25, 2 and 1 minutes")  # fmt: skip
    bench.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    bench.add_argument("--profiles", metavar="DIR", type=Path,
                       help="also write where a step of each engine spends its time")  # fmt: skip
    bench.set_defaults(run=_bench)
    return parser


def _add_screen(commands: Any) -> None:
    screen = commands.add_parser(
        "screen",
        help="predict all pairs, or all triples around some genes, and their interactions",
        description="Predict every genotype of an order from a checkpoint alone, and how far it is "
        "from what its parts foretell. A screen that was stopped goes on where it was.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
    _add_checkpoint(screen)
    screen.add_argument("--order", type=int, choices=(2, 3), required=True,
                        help="genes deleted at once")  # fmt: skip
    screen.add_argument(
        "--with",
        metavar="GENES",
        nargs="+",
        default=[],
        dest="queries",
        help="only genotypes with one of these genes, or with all of 'A|B'",
    )
    screen.add_argument("--genes", metavar="F", type=Path,
                        help="file of the genes to combine (default: all)")  # fmt: skip
    screen.add_argument("--phenotype", metavar="NAME", help="default: the model's first")
    screen.add_argument("--score", choices=("auto", "prediction", "multiplicative", "additive"),
                        default="auto", help="what an interaction is, see below")  # fmt: skip
    screen.add_argument("--top", metavar="N", type=_positive, default=100,
                        help="strongest to list in top.parquet (default: 100)")  # fmt: skip
    screen.add_argument("--threshold", metavar="X", type=float,
                        help="keep only |interaction| >= X")  # fmt: skip
    screen.add_argument("--part-rows", metavar="N", type=_positive, default=100_000,
                        help="genotypes a part (default: 100,000)")  # fmt: skip
    screen.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    screen.add_argument("--out", metavar="DIR", type=Path, required=True,
                        help="folder of the screen")  # fmt: skip
    screen.set_defaults(run=_screen)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", metavar="F", type=Path, required=True,
                        help="checkpoint.pt of a run; nothing else is needed")  # fmt: skip


def _train(options: argparse.Namespace) -> None:
    from data_specs.layout import DataLayout
    from data_specs.parameters import override, resolve
    from dcell_model import baselines, evaluate, train
    from dcell_model.run_folder import build_parameters

    given = build_parameters(options.data)
    if options.preset:
        given["preset"] = options.preset
    assignments = [*options.set, *([f"train.device={options.device}"] if options.device else [])]
    parameters = resolve(override(given, assignments), where="dcell train")
    train.run(options.data, options.out, parameters, resume=options.resume)
    baselines.run(options.data, options.out / "baselines.json", parameters)
    evaluate.run(options.data, options.out, options.out / "baselines.json", options.out)
    _print_summary(DataLayout(options.data).ledger, options.out)


def _summary(options: argparse.Namespace) -> None:
    _print_summary(options.ledger, options.folder)


def _predict(options: argparse.Namespace) -> None:
    from dcell_model import prediction_files

    prediction_files.run(
        options.checkpoint, options.genotypes, options.out, subsystems=options.subsystems
    )


def _screen(options: argparse.Namespace) -> None:
    from dcell_model import screen
    from dcell_model.prediction_files import print_unknown
    from dcell_model.screen_report import print_report
    from dcell_model.trained import Trained

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
        options.checkpoint, options.out, settings, top=options.top, device=options.device
    )
    if summary["left_out"]:
        names = Trained.read(options.checkpoint).names
        print_unknown(names, summary["left_out"], "left out of the screen")
    print_report(options.out, summary)


def _bench(options: argparse.Namespace) -> None:
    import sys

    from dcell_model.bench import run, table

    record = run.run(
        run.PLANS[options.plan],
        options.out,
        data=options.data,
        device=options.device,
        profiles=options.profiles,
        command=["dcell", *sys.argv[1:]],
    )
    table.print_record(record)


def _print_summary(ledger: Path, folder: Path) -> None:
    from data_specs.layout import read_json
    from dcell_model.summary import print_summary

    plots = sorted({*ledger.parent.glob("*plots/*.png"), *folder.glob("plots/*.png")})
    print_summary(read_json(ledger), read_json(folder / "metrics.json"), plots)


if __name__ == "__main__":
    main()
