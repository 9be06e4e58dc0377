"""What `cellmaps_vnn` itself reads, where it is installed."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

needs_cellmaps = pytest.mark.skipif(
    importlib.util.find_spec("cellmaps_vnn") is None, reason="cellmaps_vnn is not installed"
)


def read_by_cellmaps(reader: str, folder: Path, scratch: Path) -> Any:
    """The JSON that a script prints last; in a process of its own, since its imports warn."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", reader, str(folder), str(scratch)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
