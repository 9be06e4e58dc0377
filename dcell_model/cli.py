"""The command `dcell`: train, query and benchmark models on built data."""

import argparse
from collections.abc import Sequence

from data_specs.errors import exit_with_message
from data_specs.version import version
from dcell_model.commands import (
    bench,
    compare,
    exchange,
    explain,
    predict,
    report,
    screen,
    serve,
    summary,
    train,
    tune,
)

COMMANDS = (
    train, tune, summary, report, compare, predict, screen, serve, explain, exchange, bench,
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `dcell`; input errors end it with one line and status 1."""
    parser = argparse.ArgumentParser(prog="dcell", description=__doc__)
    parser.add_argument("--version", action="version", version=f"dcell {version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(commands)
    with exit_with_message():
        options = parser.parse_args(arguments)
        options.run(options)


if __name__ == "__main__":
    main()
