"""The command `dcell bench`."""

import sys
from dataclasses import dataclass
from typing import Annotated, Literal

from data_specs.command_line import Folder, OutputFile, OutputFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Time training steps, the loader and the build of a store on this machine.

    Prints tables and writes a record. All engines are timed.

    Examples:
      dcell bench --out bench.json
      dcell bench --plan quick --data data/kuzmin2018 --out bench.json
    """

    out: Annotated[OutputFile, "record to write"]
    data: Annotated[Folder | None, "folder of a build (default: data simulated at yeast scale)"] = (
        None
    )
    plan: Annotated[
        Literal["full", "quick", "engines", "tiny"],
        "how much to measure: about 25, 2, 5 and 1 minutes",
    ] = "full"
    device: Literal["cpu", "cuda"] = "cpu"
    profiles: Annotated[
        OutputFolder | None, "also write where a step of each engine spends its time"
    ] = None

    def __call__(self) -> None:
        from dcell_model.bench import command, table

        record = command.run(
            command.PLANS[self.plan],
            self.out,
            data=self.data,
            device=self.device,
            profiles=self.profiles,
            command=["dcell", *sys.argv[1:]],
        )
        table.print_record(record)
