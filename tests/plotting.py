"""Pictures in tests: blank, unless a test asks for drawn ones, which take most of a tiny training.

Everything is put into a figure as ever; only what matplotlib makes of it is left out.
"""

import base64
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

DRAWN = Figure.savefig
BLANK = {
    "png": base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mP4DwABAQEAHLCMmQAAAABJRU5ErkJggg=="
    ),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>\n',
}


def blank(_: Figure, path: Path, *, format: str, **__: Any) -> None:  # noqa: A002
    """In place of `Figure.savefig`: a plot of one pixel."""
    Path(path).write_bytes(BLANK[format])
