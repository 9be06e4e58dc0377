"""The command `dcell train`."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from data_specs.command_line import Build, OutputFolder, TakesParameters, sets
from dcell_model.commands.summary import print_finished

COMMAND = "dcell train"


@dataclass(frozen=True, slots=True, kw_only=True)
class Train(TakesParameters):
    r"""Train a model, evaluate it, compare it with the baselines on one split, and report.

    Examples:
      dcell train --data data/kuzmin2018 --set train.epochs=20 model.width_genes=direct \
        --out runs/first
      dcell train --data data/kuzmin2018 --set model.attention_heads=4 --out runs/attention
      dcell train --data data/kuzmin2018 --set train.overfit=1 train.epochs=300 --out runs/overfit
    """

    data: Build
    out: Annotated[OutputFolder, "folder of the run"]
    preset: str | None = sets("preset")
    model: str | None = sets("train.model")
    seeds: int | None = sets("train.members")
    jobs: Annotated[int, Ge(1), Le(100), "networks of an ensemble that are trained at a time"] = 1
    device: str | None = sets("train.device")
    resume: Annotated[
        bool,
        "go on after the last finished epoch, with the run's own parameters; train.epochs may be "
        "raised: a cosine schedule then goes on along the longer cosine, and the learning rate "
        "jumps up",
    ] = False
    overwrite: Annotated[bool, "replace an earlier run; other files stay"] = False

    def __call__(self) -> None:
        from data_specs.output_folders import taken
        from dcell_model import baselines, evaluate, train
        from dcell_model.checkpoint import KIND, REPORT, ledger_of
        from dcell_model.report import stage as report

        data, out = self.data, self.out
        with taken(out, KIND, overwrite=self.overwrite or self.resume):
            with train.saying_how_to_go_on(data, out, COMMAND):
                parameters, notes = train.parameters_of(
                    data, out, self.assignments(), params=self.parameters, resume=self.resume,
                    where=COMMAND,
                )  # fmt: skip
                train.print_notes(notes)
                train.run(
                    data, out, parameters, resume=self.resume, overwrite=self.overwrite,
                    jobs=self.jobs,
                )  # fmt: skip
            if parameters.train.overfit is not None:
                for line in evaluate.show_fit(out):
                    print(line)
                return
            baselines.run(data, out / "baselines.json", parameters)
            evaluate.run(data, out, out / "baselines.json", out, parameters.evaluate)
            ledger = ledger_of(data, out)
            report.run(data, out, out / REPORT)
        print_finished(ledger, out)
