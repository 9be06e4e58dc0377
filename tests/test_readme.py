"""README and CHANGELOG: short, links that lead somewhere, results and commands that exist."""

import re
from collections.abc import Callable

import pytest

from dcell_model import cli as models
from pipeline import cli as data
from tests.conftest import CHECKOUT

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def test_readme_is_short() -> None:
    assert len(README.encode()) <= 9000


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    text = (CHECKOUT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        page = CHECKOUT / (path or name)
        assert page.exists(), target
        if anchor:
            assert anchor in _anchors(page.read_text(encoding="utf-8")), target


def _anchors(text: str) -> set[str]:
    """Those of a page's headings, as GitHub and mkdocs make them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_results_are_those_of_the_site() -> None:
    (table,) = re.findall(r"^\| \| DNA repair .*\n(?:\|.*\n)+", README, re.MULTILINE)
    assert table in (CHECKOUT / "docs" / "results.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("program", "main"), [("dcell", models.main), ("dcell-data", data.main)])
def test_readme_names_every_command(
    program: str, main: Callable[[list[str]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = set(re.findall(r"^    ([a-z]+)\b", capsys.readouterr().out, re.MULTILINE))
    rows = re.findall(rf"^\| `{program} ([a-z]+)`(?:, `([a-z]+)`)? \|", README, re.MULTILINE)
    assert {name for row in rows for name in row if name} == commands


def test_changelog_has_the_usual_parts() -> None:
    """Those of keepachangelog.com, in their order."""
    text = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    (unreleased, *_) = text.split("\n## [Unreleased]\n")[1].split("\n## ")
    found = re.findall(r"^### (.+)$", unreleased, re.MULTILINE)
    assert found == [kind for kind in KINDS if kind in found]
