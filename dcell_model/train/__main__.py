"""`python -m dcell_model.train`: DVC's stage, and what torchrun starts."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from data_specs.command_line import Build, OutputFolder, TakesParameters, run_command
from dcell_model.train import parameters_of, print_notes, run, saying_how_to_go_on

COMMAND = "python -m dcell_model.train"


@dataclass(frozen=True, slots=True, kw_only=True)
class Train(TakesParameters):
    """Train on a build.

    Example:
      torchrun --nproc-per-node 2 -m dcell_model.train --data data --out run
    """

    data: Build = Path("data")
    out: Annotated[
        OutputFolder | None,
        "folder of the run (default: results/train, replaced without a question)",
    ] = None
    resume: Annotated[bool, "continue the run in the folder"] = False
    overwrite: Annotated[bool, "replace an earlier run"] = False

    def __call__(self) -> None:
        out = self.out or Path("results/train")
        with saying_how_to_go_on(self.data, out, COMMAND):
            parameters, notes = parameters_of(
                self.data, out, self.assignments(), params=self.parameters,
                resume=self.resume, where=COMMAND,
            )  # fmt: skip
            print_notes(notes)
            run(self.data, out, parameters, resume=self.resume,
                overwrite=self.overwrite or not self.out)  # fmt: skip


main = partial(run_command, COMMAND, Train)

if __name__ == "__main__":
    main()
