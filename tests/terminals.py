"""Programs that run in a terminal."""

import contextlib
import os
import pty
import subprocess
import sys

from tests.conftest import CHECKOUT


def shown_in_a_terminal(arguments: list[str], **environment: str) -> bytes:
    """All that Python with these arguments prints; it ends well."""
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, *arguments], stdout=theirs, stderr=theirs, cwd=CHECKOUT,
        env=os.environ | {"TERM": "xterm", "PYTHONPATH": str(CHECKOUT)} | environment,
    )  # fmt: skip
    os.close(theirs)
    printed = b""
    with contextlib.suppress(OSError):  # the other side has closed
        while chunk := os.read(ours, 1 << 16):
            printed += chunk
    os.close(ours)
    assert done.wait(60) == 0, printed
    return printed
