"""The command `dcell-data`: build, verify and show the data on which DCell models are trained."""

import json
import time
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Literal

from data_specs.command_line import (
    Assignments,
    BuildArgument,
    Folder,
    Metavar,
    Name,
    OutputFolder,
    TakesParameters,
    run_program,
    sets,
)
from data_specs.errors import InputError
from data_specs.parameters import (
    DIFFERENT,
    SECTIONS,
    Seeds,
    SplitMethod,
    build_parameters,
    override,
    refuse_without_effect,
    resolve,
)
from pipeline.exchange import FormatName, table

NewFolder = Annotated[OutputFolder, "folder for the files, new or empty"]
IntoFolder = Annotated[bool, "write into a folder that is not empty; other files stay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Build(TakesParameters):
    r"""Build cell graph, store and split from raw files.

    Example:
      dcell-data build --ontology go-basic.obo --annotations sgd.gaf.gz \
        --genotypes aao1729_data_s1.tsv --preset torchcell \
        --set sources.profile=yeast split.method=query --out data/kuzmin2018
    """

    ontology: str = sets("sources.ontology", required=True)
    annotations: tuple[str, ...] | None = sets("sources.annotations")
    gene_info: tuple[str, ...] | None = sets("sources.gene_info")
    genotypes: tuple[str, ...] = sets("sources.genotypes", required=True)
    cells: tuple[str, ...] | None = sets("sources.cells")
    test_genotypes: tuple[str, ...] | None = sets("sources.test_genotypes")
    gene_names: str | None = sets("sources.gene_names")
    preset: str | None = sets("preset")
    out: Annotated[OutputFolder, "folder to build"]
    overwrite: Annotated[bool, "replace an earlier build; other files, such as runs, stay"] = False

    def __call__(self) -> None:
        from pipeline.build import build
        from pipeline.show import show

        refuse_without_effect(
            self.set, [name for name in (*SECTIONS, "preset") if name != "simulate"],
            "dcell-data build", "its files are given; `dcell-data simulate` writes others",
        )  # fmt: skip
        given = self.over({})
        given["sources"] = {"profile": "local"} | given["sources"]
        parameters = resolve(given, where="dcell-data build")
        began = time.monotonic()

        def show_stage(name: str) -> None:
            print(f"{time.monotonic() - began:7.1f} s  {name}", flush=True)

        layout = build(parameters, self.out, progress=show_stage, overwrite=self.overwrite)
        show_stage("done")
        show(layout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulate(TakesParameters):
    r"""Write simulated raw files in the real formats.

    Example:
      dcell-data simulate --set simulate.terms=4000 simulate.genes=6000 \
        simulate.annotations=70000 simulate.queries=172 simulate.arrays=530 \
        simulate.triples=91000 --out raw
    """

    out: NewFolder
    overwrite: IntoFolder = False

    def __call__(self) -> None:
        from pipeline import simulate

        refuse_without_effect(
            self.set, ("simulate", "dask"), "dcell-data simulate",
            "it is of a build or a training",
        )  # fmt: skip
        parameters = resolve(self.over({}), where="dcell-data simulate")
        for file in simulate.write(parameters, self.out, overwrite=self.overwrite):
            print(f"{file}  {file.stat().st_size:,} bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """Check everything that a build promises; status 1 if anything fails.

    Example:
      dcell-data verify data/kuzmin2018
    """

    data: BuildArgument

    def __call__(self) -> None:
        from data_specs.layout import DataLayout
        from pipeline.verify import verify

        failures = 0
        for check in verify(DataLayout(self.data)):
            state = "warn" if check.warning else "ok  " if check.passed else "FAIL"
            print(f"{state}  {check.name}: {check.detail}")
            failures += not check.passed
        if failures:
            raise InputError(f"{self.data}: {failures} checks failed; build it again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """Print the content of a build, with the terms of one genotype.

    Example:
      dcell-data show data/kuzmin2018 --genotype 'YAL015C|YBL007C|YOL043C'
    """

    data: BuildArgument
    genotype: Annotated[
        Name | None, Metavar("GENES"),
        "genes by any of their names, separated by | (default: the first)",
    ] = None  # fmt: skip
    run: Annotated[
        Folder | None,
        "folder of a run, to follow the chain of fingerprints to its predictions",
    ] = None

    def __call__(self) -> None:
        from data_specs.layout import DataLayout
        from pipeline.show import show

        show(DataLayout(self.data), self.genotype, self.run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    r"""Write a hierarchy in the format of another program; docs/exchange.md says more.

    Example:
      dcell-data export data/kuzmin2018 --format cx2 --out exchange/cx2
      dcell-data build --ontology exchange/cx2/hierarchy.cx2 --genotypes own.tsv \
        --set hierarchy.steps=[] --out again
    """

    NOTES: ClassVar = (f"formats:\n{table()}",)

    source: Annotated[
        BuildArgument, Metavar("SOURCE", positional=True),
        "folder of a build, or a hierarchy file as --ontology of build takes it, except OBO",
    ]  # fmt: skip
    format: FormatName
    genotypes: Annotated[
        Name | None, Metavar("PHENOTYPE"),
        "with cx2: also the genotypes of the build, with this phenotype, as the tables that "
        "cellmaps_vnn trains on",
    ] = None  # fmt: skip
    out: NewFolder
    overwrite: IntoFolder = False

    def __call__(self) -> None:
        from data_specs.layout import read_json
        from data_specs.ledger_words import dropped
        from pipeline.export import export

        for file in export(
            self.source, self.format, self.out, self.genotypes, overwrite=self.overwrite
        ):
            print(f"{file}  {file.stat().st_size:,} bytes")
        if self.genotypes:
            ledger = read_json(self.out / "ledger.json")
            kept = ", ".join(f"{n:,} in {name}" for name, n in ledger["genotypes"].items())
            print(f"genotypes: {kept}; {dropped(ledger['dropped'])}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(TakesParameters):
    """Split the samples of a build again, for `dcell compare`; into DIR/splits/METHOD-SEED.

    Example:
      dcell-data split data/kuzmin2018 --methods random gene --seeds 0 1 2
    """

    data: BuildArgument
    methods: Annotated[tuple[SplitMethod, ...], DIFFERENT] = ("random", "gene")
    seeds: Seeds = (0, 1, 2)
    overwrite: Annotated[bool, "replace other splits of the same names"] = False

    def __call__(self) -> None:
        from data_specs.layout import DataLayout, read_json
        from data_specs.ledger_words import counted
        from data_specs.tables import PARTS
        from pipeline import split

        refuse_without_effect(
            self.set, ("split", "dask"), "dcell-data split",
            "the build is finished; build again, or give it to the training",
            {"split.method": "--methods", "split.seed": "--seeds"},
        )  # fmt: skip
        given = self.over(build_parameters(self.data))
        for method in self.methods:
            for seed in self.seeds:
                this = override(given, [f"split.method={method}", f"split.seed={seed}"])
                layout = DataLayout(self.data, f"{method}-{seed}")
                split.again(
                    resolve(this, where="dcell-data split"), layout, overwrite=self.overwrite
                )
                counts = read_json(layout.split / "ledger.json")
                counts = {part: counts[part] for part in PARTS if part in counts}
                print(f"{layout.split}  {counted(counts)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Build controls of a hierarchy, for `dcell compare`; into DIR/controls/CONTROL-SEED.

    Samples and splits are those of the build. Controls that are there already are kept.

    controls:
      genes  random annotations; every term keeps its number of genes, every gene its number of
             terms
      terms  random edges; every term keeps its stratum, and its number of children and of parents

    Example:
      dcell-data control data/kuzmin2018 --controls genes terms --seeds 0 1 2
    """

    data: BuildArgument
    controls: Annotated[tuple[Literal["genes", "terms"], ...], DIFFERENT] = ("genes", "terms")
    seeds: Seeds = (0, 1, 2)
    set: Annotated[Assignments, "who does the work: dask.workers and dask.scheduler"] = ()
    overwrite: Annotated[bool, "replace controls of the same names"] = False

    def __call__(self) -> None:
        from pipeline import control_builds

        refuse_without_effect(
            self.set, ("dask",), "dcell-data control",
            "a control is built with the parameters of its build",
        )  # fmt: skip
        for control in self.controls:
            for seed in self.seeds:
                layout, done = control_builds.make(
                    self.data, control, seed, self.set, overwrite=self.overwrite
                )
                print(f"{layout.root}  {done}", flush=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters(TakesParameters):
    """Print all parameters as resolved, as JSON.

    Example:
      dcell-data parameters --preset paper-2018 --set hierarchy.containment=5
    """

    preset: str | None = sets("preset")

    def __call__(self) -> None:
        print(json.dumps(resolve(self.over({}), where="parameters").to_dict(), indent=2))


COMMANDS = (Build, Simulate, Verify, Show, Export, Split, Control, Parameters)


main = partial(run_program, "dcell-data", __doc__, COMMANDS)

if __name__ == "__main__":
    main()
