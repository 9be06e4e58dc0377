"""The command `dcell`: train, query and benchmark DCell models on built data."""

from functools import partial

from data_specs.command_line import run_program
from dcell_model import commands as of

COMMANDS = (
    of.Train, of.Tune, of.Summary, of.Report, of.Compare, of.Predict, of.Screen, of.Serve,
    of.Explain, of.Export, of.Import, of.Bench,
)  # fmt: skip

main = partial(run_program, "dcell", __doc__, COMMANDS)

if __name__ == "__main__":
    main()
