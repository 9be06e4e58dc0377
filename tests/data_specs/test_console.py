"""Names in what rich draws."""

import io
import sys

import pytest
from rich.table import Table
from rich.text import Text

from data_specs.console import Console

NAME = "\x1b[31mé\u202e[red]:smile:[/]"
SHOWN = "\\x1b[31mé\\u202e[red]:smile:[/]"


def test_names_are_shown_as_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    """In lines, cells, headers and titles; no part of one is cut off for its width."""
    table = Table(NAME, title=NAME)
    table.add_row(NAME)
    console = Console(width=80)
    console.print(NAME)
    console.print(table)
    Console(stderr=True).print(Text(NAME))
    out, err = capsys.readouterr()
    assert out.count(SHOWN) == 4
    assert err == SHOWN + "\n"
    assert "\x1b" not in out


def test_colours_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", terminal)
    Console().print(NAME, style="bold")
    assert terminal.getvalue() == f"\x1b[1m{SHOWN}\x1b[0m\n"
