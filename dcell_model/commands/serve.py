"""The options of `dcell serve`."""

import argparse
from typing import Any

from dcell_model.commands.options import add_checkpoint, add_command

DEFAULT_PORT, LAST_PORT = 8765, 65535


def add_to(commands: Any) -> None:
    """Add the command to those of `dcell`."""
    serve = add_command(
        commands,
        "serve",
        help="a local web page: pick genes, see the hierarchy lit up by what deletions change",
        description="Serve a web page over a trained model, for browsers on this machine only: "
        "pick genes, see the prediction and how far every subsystem's state moved from the wild "
        "type's. Ctrl-C ends it.",
        epilog="examples:\n"
        "  dcell serve --checkpoint runs/first/checkpoint.pt\n"
        "  dcell serve --checkpoint runs/first/checkpoint.pt --port 0\n\n"
        "From another machine: ssh -L 8765:localhost:8765 HOST, then http://localhost:8765/",
    )
    add_checkpoint(serve)
    serve.add_argument("--port", metavar="N", type=port, default=DEFAULT_PORT,
                       help=f"0 takes a free one (default: {DEFAULT_PORT})")  # fmt: skip
    serve.set_defaults(run=_run)


def port(text: str) -> int:
    """A number that a port may have, or 0."""
    number = int(text)
    if not 0 <= number <= LAST_PORT:
        raise ValueError
    return number


def _run(options: argparse.Namespace) -> None:
    from dcell_model.serve import server

    server.run(options.checkpoint, options.port)
