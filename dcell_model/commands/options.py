"""What the commands of `dcell` have in common."""

import argparse
from pathlib import Path
from typing import Any


def add_command(commands: Any, name: str, **texts: str) -> argparse.ArgumentParser:
    """A command whose examples, at the end of its help, keep their lines."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, formatter_class=argparse.RawDescriptionHelpFormatter, **texts
    )
    return parser


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """The option of commands that ask a trained model."""
    parser.add_argument("--checkpoint", metavar="F", type=Path, required=True,
                        help="checkpoint.pt of a run; nothing else is needed")  # fmt: skip


def add_overwrite(parser: argparse.ArgumentParser, text: str) -> None:
    """The option without which no earlier result is replaced."""
    parser.add_argument("--overwrite", action="store_true", help=text)


def positive(text: str) -> int:
    """A number of at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number
