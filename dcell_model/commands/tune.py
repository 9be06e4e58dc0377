"""The options of `dcell tune`."""

import argparse
import shlex
from pathlib import Path
from typing import Any

from data_specs.outputs import output_path
from dcell_model.commands.options import add_command, add_overwrite, positive

COMMAND = "dcell tune"


def add_to(commands: Any) -> None:
    """Add the command to those of `dcell`."""
    tune = add_command(
        commands,
        "tune",
        help="search the training recipe on your own data",
        description="Try values of the training's parameters; keep those with the best score on "
        "the validation part, and say how much of the gain is noise. The same call "
        "again goes on where it was.",
        epilog="examples:\n"
        "  dcell tune --data data/kuzmin2018 --out runs/tuned --minutes 120\n"
        "  dcell tune --data data/kuzmin2018 --out runs/rates --set train.epochs=20 \\\n"
        "    --search train.lr=0.0003:0.01:log train.batch_size=64,256\n"
        "  dcell train --data data/kuzmin2018 --parameters runs/tuned/parameters.yaml \\\n"
        "    --out runs/best",
    )
    tune.add_argument("--data", metavar="DIR", type=Path, required=True, help="folder of a build")
    tune.add_argument(
        "--out", metavar="DIR", type=output_path, required=True,
        help="folder of the tuning; what is done in it is kept",
    )  # fmt: skip
    for option, kind, metavar, text in (
        ("--trials", positive, "N", "trials in all (default: 30, or what --minutes allows)"),
        ("--minutes", _minutes, "M", "time of the search in all (default: no limit)"),
    ):
        tune.add_argument(option, metavar=metavar, type=kind, help=text)
    tune.add_argument("--search", metavar="KEY=VALUES", nargs="+", default=[], action="extend",
                      help="what to search in place of the default: LOW:HIGH, LOW:HIGH:log, or "
                      "a,b,c")  # fmt: skip
    tune.add_argument("--set", metavar="KEY=VALUE", nargs="+", default=[], action="extend",
                      help="parameters of all trials, e.g. train.epochs=20")  # fmt: skip
    tune.add_argument("--preset", metavar="NAME", help="paper-2018, torchcell, dcell_2017-07-19")
    tune.add_argument("--model", metavar="NAME", help="same as train.model")
    tune.add_argument("--device", choices=("auto", "cpu", "cuda"), help="same as train.device")
    tune.add_argument("--repeats", metavar="N", type=_whole, default=3,
                      help="other seeds that the best and the setting from before are trained with "
                      "at the end (default: 3)")  # fmt: skip
    tune.add_argument("--seed", metavar="N", type=_whole, default=0,
                      help="of the draws (default: 0); all trials have train.seed")  # fmt: skip
    add_overwrite(tune, "begin anew where a search is; what is not its own stays")
    tune.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    import sys

    from data_specs.output_folders import taken
    from dcell_model.train import (
        interrupted_with,
        print_notes,
        refuse_of_other_model,
        training_parameters,
    )
    from dcell_model.tune import KIND, PARAMETERS, PLOTS, RECORD, search_space
    from dcell_model.tune import command as run

    data, out = options.data, options.out
    command = ["dcell", *sys.argv[1:]]
    shortcuts = {"train.device": options.device, "train.model": options.model}
    assignments = [*options.set, *(f"{key}={v}" for key, v in shortcuts.items() if v)]
    with taken(out, KIND, overwrite=True):
        parameters, notes = training_parameters(
            data, assignments, preset=options.preset, where=COMMAND
        )
        refuse_of_other_model(assignments, parameters.train.model)
        space = search_space(parameters, options.search, assignments)
        print_notes(notes)
        trials = options.trials
        if trials is None and options.minutes is None:
            trials = run.TRIALS
        budget = run.Budget(trials=trials, minutes=options.minutes, repeats=options.repeats)
        go_on = f"interrupted; to go on, call the same again:\n  {shlex.join(command)}"
        with interrupted_with(lambda: go_on):
            run.run(data, out, parameters, space, budget=budget, seed=options.seed,
                    command=command, overwrite=options.overwrite)  # fmt: skip
    print("\nThe test part was not looked at. To train with these values, scored on it:")
    print(f"  {shlex.join(['dcell', 'train', '--data', str(data), '--parameters'])} \\")
    print(f"    {shlex.quote(str(out / PARAMETERS))} --out RUN")
    for path in (out / RECORD, *(out / "plots" / name for name in PLOTS)):
        print(path)


def _minutes(text: str) -> float:
    """A time above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError
    return number


def _whole(text: str) -> int:
    """A number of at least 0."""
    number = int(text)
    if number < 0:
        raise ValueError
    return number
