"""What the formats are said to keep and lose is what docs and `--help` say."""

import pytest

from pipeline import cli
from pipeline.exchange.formats import FIELDS, FORMATS
from pipeline.export.command import WRITERS
from tests.conftest import CHECKOUT


def test_every_file_has_a_writer_and_none_is_idle() -> None:
    assert {file for own in FORMATS.values() for file in own.files} == set(WRITERS)
    assert all(set(own.keeps) <= set(FIELDS) for own in FORMATS.values())


def test_the_page_says_what_the_code_says() -> None:
    page = (CHECKOUT / "docs" / "exchange.md").read_text()
    for name, own in FORMATS.items():
        files = " ".join(f"`{file}`" for file in own.files)
        kept = " | ".join("yes" if field in own.keeps else "–" for field in FIELDS)
        assert f"| `{name}` | {files} | {kept} | {own.remark} |" in page


def test_help_says_what_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["export", "--help"])
    shown = capsys.readouterr().out
    for name, own in FORMATS.items():
        assert f"  {name} " in shown
        assert own.remark in shown
    assert "loses names, namespaces, gene names; a term's name is its id" in shown
