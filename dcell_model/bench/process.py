"""A measurement in a process of its own, whose threads and memory are nobody else's."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any


class MeasurementError(Exception):
    """The process failed; the text is its standard error."""


def measured(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    timeout: float | None = None,
) -> Any:
    """The JSON that `python -m MODULE ARGUMENTS` prints in its last line.

    Args:
        module: its name.
        arguments: of the command.
        environment: variables of the process beside this one's.
        timeout: seconds that it may take, if there is a limit.

    Raises:
        MeasurementError: it ended with another status than 0, or took too long.
    """
    try:
        child = subprocess.run(
            [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False,
            env=os.environ | environment, timeout=timeout,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise MeasurementError(f"stopped after {error.timeout:.0f} s") from None
    if child.returncode:
        raise MeasurementError(child.stderr.strip() or f"status {child.returncode}")
    return json.loads(child.stdout.splitlines()[-1])
