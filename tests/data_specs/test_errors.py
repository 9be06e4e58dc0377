"""How a command ends when something is wrong."""

import subprocess
import sys

import pytest

from data_specs.errors import exit_with_message
from tests.conftest import CHECKOUT

TALKS = """
from data_specs.errors import exit_with_message
with exit_with_message():
    for line in range(100_000):
        print("line", line)
"""


@pytest.mark.parametrize("lines", [1, 1000])
def test_a_reader_that_has_enough(lines: int) -> None:
    """`dcell summary … | head`: no traceback, and a status that says that not all was read."""
    with subprocess.Popen(
        [sys.executable, "-c", TALKS], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as talking:
        assert talking.stdout is not None
        assert talking.stderr is not None
        for _ in range(lines):
            talking.stdout.readline()
        talking.stdout.close()
        assert talking.stderr.read() == b""
        assert talking.wait() == 1


def test_another_pipe_that_breaks_is_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BrokenPipeError, match="worker"), exit_with_message():
        raise BrokenPipeError("to a worker")
    with capsys.disabled(), pytest.raises(BrokenPipeError), exit_with_message():
        raise BrokenPipeError("to a worker, with an output that is a file")
