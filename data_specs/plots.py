"""The one look of all plots, and how they are written."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_specs.files import replacing_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which everyone can tell apart.
BLUE, ORANGE, GREY, INK = "#0072B2", "#D55E00", "#9AA0A6", "#222222"
LOOK: dict[str, Any] = {
    "font.size": 13,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#666666",
    "axes.titlesize": 14,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "svg.hashsalt": "dcell",  # names of clips and markers
    "text.parse_math": False,  # names from files may hold $, and mean it
    "figure.constrained_layout.h_pad": 0.12,
    "figure.constrained_layout.w_pad": 0.12,
}


@contextlib.contextmanager
def saved_plot(path: Path, width: float = 12.0, height: float = 8.0) -> Iterator["Figure"]:
    """An empty figure of matplotlib; it is written at the end, always with the same bytes.

    The user's own matplotlib settings have no effect.

    Args:
        path: `.svg` for a drawing of paths, which pages embed; all else is PNG.
        width: hundreds of pixels.
        height: the same.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", LOOK]), replacing_file(path) as partial, _any_letters():
        figure = Figure(figsize=(width, height), dpi=100, layout="compressed")
        yield figure
        if path.suffix == ".svg":
            figure.savefig(partial, format="svg", metadata={"Date": None, "Creator": None})
        else:
            figure.savefig(partial, format="png", metadata={"Software": None})


@contextlib.contextmanager
def _any_letters() -> Iterator[None]:
    """Letters that the font lacks are boxes, without a word on the terminal."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        yield
