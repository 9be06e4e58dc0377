"""The command `dcell-data`: build, verify and show the data that a DCell is trained on."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from data_specs.errors import InputError, exit_with_message
from data_specs.outputs import output_path
from data_specs.parameters import (
    CONTROLS,
    SECTIONS,
    build_parameters,
    override,
    refuse_without_effect,
    resolve,
)
from data_specs.terminal import as_typed
from data_specs.version import version
from pipeline.exchange import FORMATS, table


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `dcell-data`; input errors end it with one line and status 1."""
    with exit_with_message():
        options = _parser().parse_args(arguments)
        options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dcell-data", description=__doc__)
    parser.add_argument("--version", action="version", version=f"dcell-data {version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, text: str, example: str, notes: str = "") -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=f"{notes}example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    build = command(
        "build",
        "Build cell graph, store and split from raw files.",
        "dcell-data build --ontology go-basic.obo --annotations sgd.gaf.gz \\\n"
        "    --genotypes aao1729_data_s1.tsv --preset torchcell \\\n"
        "    --set sources.profile=yeast split.method=query --out data/kuzmin2018",
    )
    build.add_argument(
        "--ontology",
        metavar="F",
        required=True,
        help="OBO, or a hierarchy with annotations of its own: DCell topology, DrugCell ontology, "
        "GenNet topology.csv, CX2 or GraphML; plain or gzipped",
    )
    build.add_argument("--annotations", metavar="F", help="GAF 2.0 to 2.2, plain or gzipped")
    build.add_argument(
        "--genotypes",
        metavar="F",
        nargs="+",
        required=True,
        action="extend",
        help="genotype tables: Kuzmin, Costanzo, tau-SGA, DCell text, "
        "or a plain table (CSV, TSV, Parquet)",
    )
    build.add_argument(
        "--test-genotypes",
        metavar="F",
        nargs="+",
        default=[],
        action="extend",
        help="genotype tables to test on, kept out of training",
    )
    build.add_argument(
        "--gene-names", metavar="F",
        help="names of genes to read as others: a table of two columns, from and to (TSV or CSV)",
    )  # fmt: skip
    _add_parameters(build)
    build.add_argument(
        "--out", metavar="DIR", type=output_path, required=True, help="folder to build"
    )
    _add_overwrite(build, "replace an earlier build; what is not its own, such as runs, stays")
    build.set_defaults(run=_build)

    simulate = command(
        "simulate",
        "Write simulated raw files in the real formats.",
        "dcell-data simulate --set simulate.terms=4000 simulate.genes=6000 \\\n"
        "    simulate.annotations=70000 simulate.queries=172 simulate.arrays=530 \\\n"
        "    simulate.triples=91000 --out raw",
    )
    simulate.add_argument("--set", metavar="KEY=VALUE", nargs="+", default=[], action="extend",
                          help="a parameter of simulate, e.g. simulate.terms=400")  # fmt: skip
    simulate.add_argument(
        "--out",
        metavar="DIR",
        type=output_path,
        required=True,
        help="folder for the files, new or empty",
    )
    _add_overwrite(simulate, "write into a folder that is not empty; other files stay")
    simulate.set_defaults(run=_simulate)

    verify = command(
        "verify",
        "Check everything that a build promises; status 1 if anything fails.",
        "dcell-data verify data/kuzmin2018",
    )
    verify.add_argument("data", metavar="DIR", type=Path, help="folder of a build")
    verify.set_defaults(run=_verify)

    show = command(
        "show",
        "Print what is in a build, with the terms of one genotype.",
        "dcell-data show data/kuzmin2018 --genotype 'YAL015C|YBL007C|YOL043C'",
    )
    show.add_argument("data", metavar="DIR", type=Path, help="folder of a build")
    show.add_argument(
        "--genotype",
        metavar="GENES",
        type=as_typed,
        help="genes by any of their names, separated by | (default: the first)",
    )
    show.add_argument(
        "--run", metavar="DIR", type=Path, dest="trained",
        help="folder of a run, to follow the chain of fingerprints to its predictions",
    )  # fmt: skip
    show.set_defaults(run=_show)

    export = command(
        "export",
        "Write a hierarchy in the format of another program.",
        "dcell-data export data/kuzmin2018 --format cx2 --out exchange/cx2\n"
        "  dcell-data build --ontology exchange/cx2/hierarchy.cx2 --genotypes own.tsv \\\n"
        "      --set hierarchy.steps=[] --out again",
        notes=f"formats:\n{table()}\n\ndocs/exchange.md says more.\n\n",
    )
    export.add_argument(
        "source", metavar="SOURCE", type=Path,
        help="folder of a build, or a hierarchy file as --ontology of build takes it, except OBO",
    )  # fmt: skip
    export.add_argument("--format", required=True, choices=tuple(FORMATS), dest="kind")
    export.add_argument(
        "--genotypes", metavar="PHENOTYPE", type=as_typed, dest="phenotype",
        help="with cx2: also the genotypes of the build, with this phenotype, as the tables that "
        "cellmaps_vnn trains on",
    )  # fmt: skip
    export.add_argument(
        "--out",
        metavar="DIR",
        type=output_path,
        required=True,
        help="folder for the files, new or empty",
    )
    _add_overwrite(export, "write into a folder that is not empty; other files stay")
    export.set_defaults(run=_export)
    split = command(
        "split",
        "Split the samples of a build again, for `dcell compare`; into DIR/splits/METHOD-SEED.",
        "dcell-data split data/kuzmin2018 --methods random gene --seeds 0 1 2",
    )
    split.add_argument("data", metavar="DIR", type=Path, help="folder of a build")
    split.add_argument("--methods", nargs="+", default=["random", "gene"], metavar="METHOD",
                       help="random, query, gene (default: random gene)")  # fmt: skip
    split.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N")
    split.add_argument("--set", metavar="KEY=VALUE", nargs="+", default=[], action="extend",
                       help="a parameter of split, e.g. split.test=0.2")  # fmt: skip
    _add_overwrite(split, "replace splits of these names that are others")
    split.set_defaults(run=_split)

    control = command(
        "control",
        "Build a hierarchy's controls, for `dcell compare`; into DIR/controls/CONTROL-SEED.",
        "dcell-data control data/kuzmin2018 --controls genes terms --seeds 0 1 2",
        notes="genes: random annotations; every term keeps its number of genes, every gene its\n"
        "  number of terms\n"
        "terms: random edges; every term keeps its stratum, and its number of children and of\n"
        "  parents\n"
        "samples and splits are those of the build, and what is there is kept\n\n",
    )
    control.add_argument("data", metavar="DIR", type=Path, help="folder of a build")
    control.add_argument("--controls", nargs="+", default=CONTROLS, choices=CONTROLS)
    control.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N")
    control.add_argument("--set", metavar="KEY=VALUE", nargs="+", default=[], action="extend",
                         help="who does the work, e.g. dask.workers=2")  # fmt: skip
    _add_overwrite(control, "replace controls of these names")
    control.set_defaults(run=_control)

    parameters = command(
        "parameters",
        "Print all parameters as resolved, as JSON.",
        "dcell-data parameters --preset paper-2018 --set hierarchy.containment=5",
    )
    _add_parameters(parameters)
    parameters.set_defaults(run=_parameters)
    return parser


def _add_parameters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", metavar="NAME", help="paper-2018, torchcell, dcell_2017-07-19")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        nargs="+",
        default=[],
        action="extend",
        help="any parameter, e.g. hierarchy.containment=6",
    )


def _add_overwrite(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--overwrite", action="store_true", help=text)


def _build(options: argparse.Namespace) -> None:
    from pipeline.build import build

    given = {
        "preset": options.preset,
        "sources": {
            "profile": "local",
            "ontology": options.ontology,
            "annotations": options.annotations,
            "genotypes": options.genotypes,
            "test_genotypes": options.test_genotypes,
            "gene_names": options.gene_names,
        },
    }
    refuse_without_effect(
        options.set, [name for name in (*SECTIONS, "preset") if name != "simulate"],
        "dcell-data build", "its files are given; `dcell-data simulate` writes others",
    )  # fmt: skip
    parameters = resolve(override(given, options.set), where="dcell-data build")
    began = time.monotonic()

    def show_stage(name: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {name}", flush=True)

    layout = build(parameters, options.out, progress=show_stage, overwrite=options.overwrite)
    show_stage("done")
    from pipeline.show import show

    show(layout)


def _simulate(options: argparse.Namespace) -> None:
    from pipeline import simulate

    refuse_without_effect(
        options.set, ("simulate", "dask"), "dcell-data simulate", "it is of a build or a training"
    )
    parameters = resolve(override({}, options.set), where="dcell-data simulate")
    for file in simulate.write(parameters, options.out, overwrite=options.overwrite):
        print(f"{file}  {file.stat().st_size:,} bytes")


def _verify(options: argparse.Namespace) -> None:
    from data_specs.layout import DataLayout
    from pipeline.verify import verify

    failures = 0
    for check in verify(DataLayout(options.data)):
        state = "warn" if check.warning else "ok  " if check.passed else "FAIL"
        print(f"{state}  {check.name}: {check.detail}")
        failures += not check.passed
    if failures:
        raise InputError(f"{options.data}: {failures} checks failed; build it again")


def _show(options: argparse.Namespace) -> None:
    from data_specs.layout import DataLayout
    from pipeline.show import show

    show(DataLayout(options.data), options.genotype, options.trained)


def _export(options: argparse.Namespace) -> None:
    from data_specs.layout import read_json
    from data_specs.ledger_words import dropped
    from pipeline.export import export

    for file in export(
        options.source, options.kind, options.out, options.phenotype, overwrite=options.overwrite
    ):
        print(f"{file}  {file.stat().st_size:,} bytes")
    if options.phenotype:
        ledger = read_json(options.out / "ledger.json")
        kept = ", ".join(f"{count:,} in {name}" for name, count in ledger["genotypes"].items())
        print(f"genotypes: {kept}; {dropped(ledger['dropped'])}")


def _split(options: argparse.Namespace) -> None:
    from data_specs.layout import DataLayout, read_json
    from data_specs.ledger_words import counted
    from pipeline import split

    given = build_parameters(options.data)
    refuse_without_effect(
        options.set, ("split", "dask"), "dcell-data split",
        "the build is finished; build again, or give it to the training",
        {"split.method": "--methods", "split.seed": "--seeds"},
    )  # fmt: skip
    for method in options.methods:
        for seed in options.seeds:
            own = [f"split.method={method}", f"split.seed={seed}"]
            parameters = resolve(override(given, [*options.set, *own]), where="dcell-data split")
            layout = DataLayout(options.data, f"{method}-{seed}")
            split.again(parameters, layout, overwrite=options.overwrite)
            counts = read_json(layout.split / "ledger.json")
            del counts["method"]
            print(f"{layout.split}  {counted(counts)}")


def _control(options: argparse.Namespace) -> None:
    from pipeline import control_builds

    refuse_without_effect(
        options.set, ("dask",), "dcell-data control",
        "a control is built with the parameters of its build",
    )  # fmt: skip
    for control in options.controls:
        for seed in options.seeds:
            layout, done = control_builds.make(
                options.data, control, seed, options.set, overwrite=options.overwrite
            )
            print(f"{layout.root}  {done}", flush=True)


def _parameters(options: argparse.Namespace) -> None:
    given = override({"preset": options.preset}, options.set)
    print(json.dumps(resolve(given, where="parameters").to_dict(), indent=2))


if __name__ == "__main__":
    main()
