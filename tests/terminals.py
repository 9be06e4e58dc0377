"""Programs in a terminal."""

import os
import pty
from multiprocessing.connection import wait

from tests.processes import Program


def shown_in_a_terminal(arguments: list[str], **environment: str) -> bytes:
    """All that Python with these arguments prints; it ends well."""
    ours, theirs = pty.openpty()
    given = {"TERM": "xterm"} | environment
    program = Program(*arguments, terminal=os.ttyname(theirs), **given)
    printed = b""
    while ours in wait([ours, program.process.sentinel]):
        printed += os.read(ours, 1 << 16)
    os.close(ours)
    os.close(theirs)
    program.communicate()
    assert program.returncode == 0, printed
    return printed
