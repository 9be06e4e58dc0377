"""The command `dcell tune`."""

import shlex
import sys
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from data_specs.command_line import Build, Metavar, OutputFolder, TakesParameters, sets
from data_specs.parameters import Seed

COMMAND = "dcell tune"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tune(TakesParameters):
    r"""Search the training parameters that are best on your own data.

    Tries values, keeps those with the best score on the validation part, and says how much of the
    gain is noise. The same call again goes on with the search.

    Examples:
      dcell tune --data data/kuzmin2018 --out runs/tuned --minutes 120
      dcell tune --data data/kuzmin2018 --out runs/rates --set train.epochs=20 \
        --search train.lr=0.0003:0.01:log train.batch_size=64,256
      dcell train --data data/kuzmin2018 --parameters runs/tuned/parameters.yaml \
        --out runs/best
    """

    data: Build
    out: Annotated[OutputFolder, "folder of the tuning; finished trials in it are kept"]
    trials: Annotated[
        int, Ge(1), Le(9999), "trials in all (default: 30, or as many as --minutes allows)"
    ] | None = None  # fmt: skip
    minutes: Annotated[
        float, Gt(0), Metavar("M"), "time of the search in all (default: no limit)"
    ] | None = None  # fmt: skip
    search: Annotated[
        tuple[str, ...], Metavar("KEY=VALUES"),
        "values to search, in place of the default search: LOW:HIGH, LOW:HIGH:log, or a,b,c",
    ] = ()  # fmt: skip
    preset: str | None = sets("preset")
    model: str | None = sets("train.model")
    device: str | None = sets("train.device")
    repeats: Annotated[
        int, Ge(0), Le(99),
        "other seeds to train the best setting and the one from before with, at the end",
    ] = 3  # fmt: skip
    seed: Annotated[Seed, "of the search; all trials have train.seed"] = 0
    overwrite: Annotated[
        bool, "begin a new search in place of an earlier one; other files stay"
    ] = False

    def __call__(self) -> None:
        from data_specs.interruption import interrupted_with
        from data_specs.output_folders import taken
        from dcell_model import train
        from dcell_model.tune import KIND, PARAMETERS, PLOTS, RECORD, search_space
        from dcell_model.tune import command as tune

        data, out, assignments = self.data, self.out, self.assignments()
        command = ["dcell", *sys.argv[1:]]
        with taken(out, KIND, overwrite=True):
            parameters, notes = train.training_parameters(
                data, assignments, params=self.parameters, where=COMMAND
            )
            train.refuse_of_other_model(assignments, parameters.train.model)
            train.refuse_overfit(parameters.train, COMMAND)
            space = search_space(parameters, self.search, assignments)
            train.print_notes(notes)
            trials = self.trials or (tune.TRIALS if self.minutes is None else None)
            budget = tune.Budget(trials=trials, minutes=self.minutes, repeats=self.repeats)
            go_on = f"interrupted; to go on, call the same again:\n  {shlex.join(command)}"
            with interrupted_with(lambda: go_on):
                tune.run(
                    data, out, parameters, space, budget=budget, seed=self.seed, command=command,
                    overwrite=self.overwrite,
                )  # fmt: skip
        print("\nThe test part was not used. To train with these values and score on it:")
        print(f"  {shlex.join(['dcell', 'train', '--data', str(data), '--parameters'])} \\")
        print(f"    {shlex.quote(str(out / PARAMETERS))} --out RUN")
        for path in (out / RECORD, *(out / "plots" / name for name in PLOTS)):
            print(path)
