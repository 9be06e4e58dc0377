"""No text steers a terminal, and none that it cannot show ends in a traceback."""

import io
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_specs.errors import exit_with_message
from data_specs.terminal import as_typed, beneath, clean_output, printable
from tests.conftest import CHECKOUT

TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}

# Formats that are signs of their own: those that enclose numbers and verses, and join hieroglyphs.
VISIBLE = {*map(chr, range(0x600, 0x606)), *map(chr, range(0x13430, 0x13440)),
           *"\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"}  # fmt: skip
BLANK = {*"\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0",
         *map(chr, range(0xFE00, 0xFE10)), *map(chr, range(0xE0100, 0xE01F0))}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("two\tcells\nof é [red]x[/]", "two\tcells\nof é [red]x[/]"),
        ("\x1b[31mred\x07\r\x7f", "\\x1b[31mred\\x07\\x0d\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202eb\u2066c\u2069", "a\\u202eb\\u2066c\\u2069"),
        ("TP\u200b53\ufeff\u00ad", "TP\\u200b53\\ufeff\\xad"),
        ("tag\U000e0041", "tag\\U000e0041"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_no_control_is_left_and_nothing_else_is_changed(text: str) -> None:
    shown = printable(text)
    assert not {c for c in shown if unicodedata.category(c) == "Cc"} - {"\n", "\t"}
    assert not {unicodedata.bidirectional(c) for c in shown} & TURNS
    assert not {c for c in shown if unicodedata.category(c) == "Cf"} - VISIBLE
    assert printable(shown) == shown
    if text.isprintable() and not set(text) & BLANK:
        assert shown == text


def test_every_character_of_unicode_that_cannot_be_seen() -> None:
    formats = {chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cf"}
    assert {c for c in formats if printable(c) == c} == VISIBLE & formats


@given(st.text())
def test_names_are_what_was_typed_in_any_locale(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    as_ascii = text.encode().decode("ascii", "surrogateescape")
    assert as_typed(text) == as_typed(as_ascii) == text


def test_streams_are_put_back(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    with clean_output():
        assert beneath(sys.stdout) is before[0]
        with clean_output():  # once is enough
            print("\x1b[31mout")
            sys.stdout.writelines(["\x1b", "\n"])
        print("\x1b[31merr", file=sys.stderr)
    assert (sys.stdout, sys.stderr) == before
    with pytest.raises(SystemExit), clean_output():
        raise SystemExit(1)
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr() == ("\\x1b[31mout\n\\x1b\n", "\\x1b[31merr\n")


def test_a_stream_that_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    monkeypatch.setattr(sys, "stdout", text)
    with exit_with_message():
        print("\x1b é")
    assert text.getvalue() == "\\x1b é\n"


@pytest.mark.parametrize(
    ("program", "status", "error"),
    [
        ("raise InputError(NAME)", 1, "error: \\x1b[31m?\n"),
        ("raise RuntimeError(NAME)", 1, "RuntimeError: \\x1b[31m?\n"),
        ("argparse.ArgumentParser().parse_args([NAME])", 2, "arguments: \\x1b[31m?\n"),
        ("warnings.warn(NAME)", 0, "UserWarning: \\x1b[31m?\n"),
    ],
)
def test_whatever_is_printed(program: str, status: int, error: str) -> None:
    """A complaint, a traceback, an option, a warning, on a terminal that knows ASCII only."""
    lines = [
        "import argparse, warnings",
        "from data_specs.errors import InputError, exit_with_message",
        "NAME = '\\x1b[31m\\xe9'",
        f"with exit_with_message(): print(NAME); {program}",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=CHECKOUT, capture_output=True,
        env={"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == status
    assert done.stdout == b"\\x1b[31m?\n"
    assert error in done.stderr.decode("ascii")
    assert b"\x1b" not in done.stderr
