"""The command `dcell report`."""

from dataclasses import dataclass
from typing import Annotated

from data_specs.command_line import Build, Folder, OutputFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Write one HTML page that shows a run, and how to repeat it.

    The page needs no other file. It shows the sources, what the build kept, the training, the
    predictions beside those of the baselines, and the commands that repeat the run.

    Example:
      dcell report --data data/kuzmin2018 --run runs/first
    """

    data: Build
    run: Annotated[Folder, "folder of a run on it"]
    out: Annotated[OutputFile | None, "page to write (default: report.html in the run)"] = None

    def __call__(self) -> None:
        from dcell_model.checkpoint import REPORT
        from dcell_model.report import stage

        out = self.out or self.run / REPORT
        stage.run(self.data, self.run, out)
        print(out)
