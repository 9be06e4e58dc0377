"""Clean output: names from files can neither control a terminal or a page nor hide in it.

`exit_with_message` of `data_specs.errors` puts `Clean` streams before the standard output and the
standard error of every program, so that prints, warnings, complaints about options and tracebacks
are all shown this way. What rich draws goes through `data_specs.console` instead, and the report
through `dcell_model.report.page`.
"""

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO, cast

# By kind: control characters other than line feed and tab; line separators, characters that turn
# the direction of writing; invisible ones (Unicode's Default_Ignorable_Code_Point, such as
# zero-width spaces, fillers and tags), so that two names look alike; marks of annotations.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
    "\ufff9-\ufffb]"
)


def printable(text: str) -> str:
    r"""The text, with characters that a terminal obeys or hides written out: `\x1b`, `\u202e`."""
    return _UNSAFE.sub(_written_out, text)


def as_typed(text: str) -> str:
    """What was typed as a name, in UTF-8, whatever encoding Python took it to be in.

    Not for paths: the operating system wants them as Python has them.
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class Clean:
    """A text stream that is written to as `printable` says; in all else the stream `beneath`."""

    def __init__(self, beneath: TextIO) -> None:
        self.beneath = beneath

    def write(self, text: str) -> int:
        """Write the text and return its length."""
        self.beneath.write(printable(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write all of them."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)


def beneath(stream: TextIO) -> TextIO:
    """The stream itself, for callers that clean their text and write sequences of their own."""
    return stream.beneath if isinstance(stream, Clean) else stream


@contextlib.contextmanager
def clean_output() -> Iterator[None]:
    """Print cleanly, with `?` for what the terminal's encoding lacks.

    After an error that nobody foresaw the streams stay clean: Python prints its traceback later.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _clean(sys.stdout), _clean(sys.stderr)
    try:
        yield
    except SystemExit:
        sys.stdout, sys.stderr = before
        raise
    sys.stdout, sys.stderr = before


def _clean(stream: TextIO) -> TextIO:
    if isinstance(stream, Clean):
        return stream
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
    return cast(TextIO, Clean(stream))
