"""The command `dcell predict`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Gt, Lt

from data_specs.command_line import Checkpoint, Folder, Metavar, OutputFile
from data_specs.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Predict:
    r"""Predict genotypes without labels, and the states of all subsystems.

    Reads nothing but a checkpoint; a model on gene networks also needs those of its build (--data).
    Genes go by their systematic names, standard names or synonyms.
    The columns of the tables are described in dcell_model/predict/tables.py.

    Examples:
      dcell predict --checkpoint runs/first/checkpoint.pt --genotypes 'TFC3,YBR002C; RAD51=0.5'
      dcell predict --checkpoint runs/first/checkpoint.pt --genotypes mutants.csv \
        --subsystems --out predicted.parquet
      dcell predict --checkpoint runs/drug --out predicted.csv --cells gene2ind.txt \
        cell2ind.txt cell2mutation.txt
      dcell predict --checkpoint runs/networks --data data/kuzmin2018 --genotypes mutants.csv
    """

    checkpoint: Checkpoint
    genotypes: Annotated[
        str | None, Metavar("G"),
        "genes separated by | or , with ; between genotypes, a state other than 0 behind =; or a "
        "file with one genotype a line; or a genotype table of any form that the build reads, with "
        "or without a phenotype",
    ] = None  # fmt: skip
    cells: Annotated[
        tuple[Path, ...], Metavar("F"),
        "in place of genotypes, files of cell lines, as in a build: gene2ind.txt, cell2ind.txt, "
        "cell2mutation.txt, …",
    ] = ()  # fmt: skip
    data: Annotated[
        Folder | None, "folder of the build on which it was trained, for a model on gene networks"
    ] = None
    states: Annotated[
        str | None, Metavar("KIND:STATE"),
        "states of kinds of alleles in a table of strains, as genotypes.states of the build that "
        "the model was trained on: ts:0.3,damp:0.5 (default: all are deletions)",
    ] = None  # fmt: skip
    subsystems: Annotated[
        bool,
        "also write the state of every subsystem that deletions reach, into NAME.subsystems.SUFFIX",
    ] = False
    interval: Annotated[float, Gt(0), Lt(1), Metavar("L"), "level of the intervals"] = 0.9
    out: Annotated[OutputFile | None, ".parquet, .csv or .tsv (default: the terminal)"] = None

    def __call__(self) -> None:
        from data_specs.parameters import override, resolve
        from dcell_model.predict import command
        from dcell_model.written_folders import refuse_file

        if (self.genotypes is None) == (not self.cells):
            raise InputError("give genotypes (--genotypes) or files of cell lines (--cells)")
        states: Mapping[str, float] | None = None
        if self.states is not None:
            given = override({}, [f"genotypes.states={self.states}"])
            own = resolve(given, where="--states").genotypes.states
            states = {str(kind): state for kind, state in own.items()}
        if self.out is not None:
            read = [self.checkpoint, *self.cells, *command.file_of(self.genotypes or "")]
            for path in command.paths_of(self.out, self.subsystems):
                refuse_file(path, *read)
        command.run(
            self.checkpoint, self.genotypes, self.out, cells=self.cells, data=self.data,
            subsystems=self.subsystems, level=self.interval, states=states,
        )  # fmt: skip
