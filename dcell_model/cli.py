"""The command `dcell`: train a DCell on built data, ask it, and measure what that costs."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_specs.errors import exit_with_message
from dcell_model.explain import command as explain


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `dcell`; input errors end it with one line and status 1."""
    options = _parser().parse_args(arguments)
    with exit_with_message():
        options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dcell", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = _command(
        commands,
        "train",
        help="train, evaluate and compare with the baselines",
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
    train.set_defaults(run=_train)
    summary = _command(
        commands,
        "summary",
        help="print what was kept, the scores beside the baselines, and where the plots are",
        description="Print the summary of a finished run.",
        epilog="example:\n  dcell summary --ledger results/ledger.json --run results",
    )
    summary.add_argument("--ledger", metavar="F", type=Path, required=True)
    summary.add_argument("--run", metavar="DIR", type=Path, required=True, dest="folder")
    summary.set_defaults(run=_summary)
    _add_exchange(commands)
    compare = _command(
        commands,
        "compare",
        help="train DCell, DANGO, ridge and a plain network on the same splits, several times",
        description="Train models on the same splits with several seeds; print mean ± sd.",
        epilog="example:\n  dcell-data split data/kuzmin2018 --methods random gene --seeds 0 1 2\n"
        "  dcell compare --data data/kuzmin2018 --out runs/compared --seeds 0 1 2",
    )
    compare.add_argument("--data", metavar="DIR", type=Path, required=True)
    compare.add_argument("--out", metavar="DIR", type=Path, required=True,
                         help="folder of the comparison; what is done in it is kept")  # fmt: skip
    compare.add_argument("--splits", nargs="+", default=["random", "gene"], metavar="METHOD")
    compare.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N")
    compare.add_argument("--models", nargs="+", default=["dcell", "dango", "ridge", "mlp"],
                         choices=["dcell", "dango", "mean", "ridge", "mlp"])  # fmt: skip
    compare.add_argument("--set", metavar="KEY=VALUE", nargs="+", default=[], action="extend",
                         help="any parameter, e.g. train.epochs=20")  # fmt: skip
    compare.set_defaults(run=_compare)
    predict = _command(
        commands,
        "predict",
        help="predict genotypes without labels, and what becomes of every subsystem",
        description="Predict genotypes from a checkpoint alone. Genes go by their systematic "
        "names, standard names or synonyms.",
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
    explain.add_to(commands)
    bench = _command(
        commands,
        "bench",
        help="time training steps, loader and store build on this machine",
        description="Time training steps of all engines, the loader and the build of a "
        "store; print tables and write a record.",
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


def _command(commands: Any, name: str, **texts: str) -> argparse.ArgumentParser:
    """A command whose examples, at the end of its help, keep their lines."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, formatter_class=argparse.RawDescriptionHelpFormatter, **texts
    )
    return parser


def _add_exchange(commands: Any) -> None:
    export = _command(
        commands,
        "export",
        help="write a checkpoint term by term, as an .npz without pickles",
        description="Write a checkpoint's parameters under the names of their terms.",
        epilog="example:\n  dcell export --checkpoint runs/first/checkpoint.pt "
        "--data data/kuzmin2018 \\\n    --out first.npz",
    )
    export.add_argument("--checkpoint", metavar="F", type=Path, required=True)
    export.set_defaults(run=_export)
    back = _command(
        commands,
        "import",
        help="make a checkpoint of such a file",
        description="Make a checkpoint of parameters by term; it predicts the same to the bit.",
        epilog="example:\n  dcell import --parameters first.npz --data data/kuzmin2018 "
        "--out model.pt",
    )
    back.add_argument("--parameters", metavar="F", type=Path, required=True)
    back.set_defaults(run=_import)
    for parser in (export, back):
        parser.add_argument("--data", metavar="DIR", type=Path, required=True,
                            help="folder of the build that it was trained on")  # fmt: skip
        parser.add_argument("--out", metavar="F", type=Path, required=True, help="file to write")


def _add_screen(commands: Any) -> None:
    screen = _command(
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
    shortcuts = {"train.device": options.device, "train.model": options.model}
    assignments = [*options.set, *(f"{key}={v}" for key, v in shortcuts.items() if v)]
    parameters = resolve(override(given, assignments), where="dcell train")
    train.run(options.data, options.out, parameters, resume=options.resume)
    baselines.run(options.data, options.out / "baselines.json", parameters)
    evaluate.run(options.data, options.out, options.out / "baselines.json", options.out)
    _print_summary(DataLayout(options.data).ledger, options.out)


def _summary(options: argparse.Namespace) -> None:
    _print_summary(options.ledger, options.folder)


def _export(options: argparse.Namespace) -> None:
    from data_specs.cell_graph import CellGraph
    from data_specs.layout import DataLayout
    from dcell_model import checkpoint, per_term_file

    graph = CellGraph.read(DataLayout(options.data).cell_graph)
    state = checkpoint.load(options.checkpoint)
    arrays = per_term_file.export(state, graph, options.checkpoint, options.out)
    print(f"{options.out}: {graph.num_terms:,} terms, {arrays:,} arrays")


def _import(options: argparse.Namespace) -> None:
    from data_specs.cell_graph import CellGraph
    from data_specs.layout import DataLayout
    from dcell_model import checkpoint, per_term_file

    graph = CellGraph.read(DataLayout(options.data).cell_graph)
    sha256 = checkpoint.save(per_term_file.import_(options.parameters, graph), options.out)
    print(f"{options.out}: a checkpoint with SHA-256 {sha256}")


def _compare(options: argparse.Namespace) -> None:
    import sys

    from data_specs.parameters import override, resolve
    from dcell_model import compare, comparison_table
    from dcell_model.run_folder import build_parameters

    given = override(build_parameters(options.data), options.set)
    record = compare.run(
        options.data,
        options.out,
        resolve(given, where="dcell compare"),
        methods=options.splits,
        seeds=options.seeds,
        models=options.models,
        command=["dcell", *sys.argv[1:]],
    )
    comparison_table.print_record(record)


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
