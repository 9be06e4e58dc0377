"""Tables and progress on the terminal, by rich; names in them are shown as they stand."""

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from data_specs.terminal import beneath, printable


class Console(RichConsole):
    """Rich's, but text is no markup, and nothing in it steers the terminal.

    Args:
        stderr: print on the standard error.
        options: of rich's.
    """

    def __init__(self, *, stderr: bool = False, **options: Any) -> None:
        file = beneath(sys.stderr if stderr else sys.stdout)  # rich's own sequences must arrive
        plain = {"markup": False, "emoji": False, "highlight": False}
        super().__init__(**({"file": file} | options | plain))

    def render_str(self, text: str, **options: Any) -> Text:
        """Text for what is printed and for cells: cleaned before widths are measured."""
        return super().render_str(printable(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Whatever else has text, such as `Text`: cleaned when it is drawn."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))
