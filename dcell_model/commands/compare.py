"""The command `dcell compare`."""

import sys
from dataclasses import dataclass
from typing import Annotated

from data_specs.command_line import Build, Metavar, Name, OutputFolder, TakesParameters, sets
from data_specs.parameters import DIFFERENT, Seeds, SplitMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare(TakesParameters):
    r"""Train DCell, simpler models and DCell on controls on the same splits, several times.

    Prints mean ± standard deviation over the seeds, and differences to the first model on the same
    split and seed, mean ± standard error.

    Example:
      dcell-data split data/kuzmin2018 --methods random gene --seeds 0 1 2
      dcell-data control data/kuzmin2018 --controls genes terms --seeds 0 1 2
      dcell compare --data data/kuzmin2018 --out runs/compared --seeds 0 1 2 \
          --models dcell dcell:genes dcell:terms mlp ridge
    """

    data: Build
    out: Annotated[OutputFolder, "folder of the comparison; finished results in it are kept"]
    splits: Annotated[tuple[SplitMethod, ...], DIFFERENT, "methods of the splits"] = (
        "random", "gene",
    )  # fmt: skip
    seeds: Annotated[Seeds, "one split and one training each"] = (0, 1, 2)
    models: Annotated[
        tuple[Name, ...], DIFFERENT, Metavar("MODEL"),
        "a value of train.model, a baseline (mean, ridge, …), or dcell:genes and dcell:terms, on "
        "the builds of `dcell-data control` (default: the models for which the build has data, "
        "and the baselines fm, mlp and ridge)",
    ] = ()  # fmt: skip
    preset: str | None = sets("preset")

    def __call__(self) -> None:
        from dcell_model import compare
        from dcell_model.compare import models, terminal
        from dcell_model.train import print_notes, training_parameters

        parameters, notes = training_parameters(
            self.data,
            self.assignments(),
            params=self.parameters,
            where="dcell compare",
            options={
                "train.seed": "--seeds", "baselines.seed": "--seeds", "train.model": "--models"
            },
        )  # fmt: skip
        print_notes(notes)
        record = compare.run(
            self.data,
            self.out,
            parameters,
            methods=self.splits,
            seeds=self.seeds,
            models=self.models or models.usual(self.data),
            command=["dcell", *sys.argv[1:]],
        )
        terminal.print_record(record)
