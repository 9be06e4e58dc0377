"""Trains with every engine from one seed and lays their loss curves on each other."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from data_specs.command_line import Assignments, Build, OutputFolder, run_command
from data_specs.layout import write_json
from data_specs.output_folders import FolderKind, taken
from data_specs.parameters import build_parameters, override, resolve
from data_specs.plots import BLUE, GREY, ORANGE, saved_plot
from dcell_model import train
from dcell_model.bench.command import provenance

PROGRAM = "python -m dcell_model.bench.curves"
ENGINES = ("reference", "incremental")
KIND = FolderKind("benchmark", ("curves.json", "curves.png"), ("curves.json", "curves.png"))


def run(
    data: Path,
    out: Path,
    settings: Sequence[str] = (),
    command: Sequence[str] = (),
    *,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Train once with each engine and write `curves.json`, `curves.png` and the runs' folders.

    Args:
        data: folder of a build.
        out: folder to write to.
        settings: assignments of parameters, such as `train.epochs=10`.
        command: how this was called, for the record.
        overwrite: replace earlier curves; other files stay.

    Raises:
        InputError: `data` is no build, or `out` something else, in use, or holds curves.
    """
    with taken(out, KIND, overwrite=overwrite):
        return _run(data, out, settings, command, overwrite)


def _run(
    data: Path, out: Path, settings: Sequence[str], command: Sequence[str], overwrite: bool
) -> dict[str, Any]:
    record: dict[str, Any] = provenance(command) | {"settings": list(settings), "engines": {}}
    for engine in ENGINES:
        assignments = [*settings, f"train.engine={engine}"]
        parameters = resolve(override(build_parameters(data), assignments), where="curves")
        done = train.run(data, out / engine, parameters, overwrite=overwrite)
        record["engines"][engine] = {
            "history": done["history"],
            "seconds_per_epoch": done["seconds_per_epoch"],
        }
    write_json(out / "curves.json", record)
    histories = {engine: row["history"] for engine, row in record["engines"].items()}
    engine_curves(histories, out / "curves.png")
    return record


def engine_curves(histories: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """Training loss by epoch and engine, and how far each is from the first, as PNG."""
    first, *others = histories
    losses = {
        engine: np.array([row["train_loss"] for row in history])
        for engine, history in histories.items()
    }
    styles = {first: (GREY, 9, "-"), others[0]: (BLUE, 3.5, "-"), others[-1]: (ORANGE, 2, "--")}
    with saved_plot(path) as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
        for engine, loss in losses.items():
            color, width, line = styles[engine]
            epochs = np.arange(1, len(loss) + 1)
            above.plot(epochs, loss, color=color, linewidth=width, linestyle=line, label=engine)
            if engine != first:
                apart = np.abs(loss / losses[first] - 1)
                below.semilogy(epochs, apart, color=color, linewidth=2, linestyle=line)
        above.set_ylabel("training loss\n(all heads)")
        above.legend(frameon=False)
        above.set_title("Three engines from one seed")
        below.set_ylabel(f"relative distance\nfrom {first}")
        below.margins(y=0.5)  # room for two powers of ten at least
        below.minorticks_off()
        below.set_xlabel("epoch")
        below.xaxis.get_major_locator().set_params(integer=True)
        figure.align_ylabels([above, below])


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Train with every engine from one seed and plot their loss curves over each other."""

    data: Build
    set: Assignments = ()
    out: Annotated[OutputFolder, "folder to write"]
    overwrite: Annotated[bool, "replace earlier curves"] = False

    def __call__(self) -> None:
        run(self.data, self.out, self.set, [*PROGRAM.split(), *sys.argv[1:]],
            overwrite=self.overwrite)  # fmt: skip


main = partial(run_command, PROGRAM, Curves)

if __name__ == "__main__":
    main()
