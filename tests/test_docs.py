"""The documentation: the tutorial does what it says, and the site is whole."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import tutorial
from tests.conftest import CHECKOUT

DOCS = CHECKOUT / "docs"
# What a browser fetches by itself, as opposed to where a reader may click.
_FETCHED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?((?:https?:)?//[^\"' >]+)"
    r"|<link\b[^>]*\brel=[\"']?(?:stylesheet|preconnect|icon|preload)[^>]*\bhref=[\"']?"
    r"((?:https?:)?//[^\"' >]+)"
)


@pytest.mark.slow
def test_tutorial(tmp_path: Path) -> None:
    """Every block runs, and prints what the page shows."""
    page = tutorial.blocks(tutorial.PAGE.read_text(encoding="utf-8"))
    assert {"console", "python"} == {block.kind for block in page}
    done = 0
    for block, printed in tutorial.run(page, tmp_path):
        assert block.agrees(printed), (
            f"{block.code}{printed}\nis not what docs/tutorial.md shows; after a change that it "
            "should show run python -m tests.tutorial"
        )
        done += 1
    assert done == len(page) > 10


def test_tutorial_leaves_only_the_installation_out() -> None:
    page = tutorial.blocks(tutorial.PAGE.read_text(encoding="utf-8"))
    (left_out,) = [block for block in page if not block.is_run]
    assert left_out.code == "$ make install\n$ source .venv/bin/activate\n"
    assert re.search(r"^install:", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    # No block escapes: as many as there are fences, two each, outputs included.
    text = tutorial.PAGE.read_text(encoding="utf-8")
    shown = sum(block.kind == "python" and bool(block.output) for block in page)
    assert text.count("\n```") == 2 * (len(page) + shown)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_commands_of_the_pages_exist(page: Path) -> None:
    """Each command line that a page shows has options and parameters that there are."""
    from data_specs.parameters.given import override
    from data_specs.parameters.sections import KEYS

    for line in _commands(page):
        for key, value in re.findall(r"(?<![\w./-])([a-z]+\.[a-z_0-9]+)=(\S+)", line):
            assert key in KEYS, f"{page.name}: {line}"
            override({}, [f"{key}={value}"])


def _commands(page: Path) -> list[str]:
    text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))
    return [line for line in text.splitlines() if line.startswith(("$ dcell", "dcell"))]


def test_every_public_module_is_in_the_reference() -> None:
    shown = {
        name
        for page in (DOCS / "reference").glob("*.md")
        for name in re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    for name in shown:
        module = CHECKOUT / Path(*name.split("."))
        assert module.is_dir() or module.with_suffix(".py").is_file(), name
    modules = {
        ".".join(path.relative_to(CHECKOUT).with_suffix("").parts)
        for package in ("data_specs", "pipeline", "dcell_model")
        for path in (CHECKOUT / package).rglob("[!_]*.py")
    }
    told_elsewhere = (  # by --help, or by the page of the package
        "pipeline.cli", "pipeline.exchange.", "pipeline.export.", "data_specs.genotype_tables.",
        *(f"dcell_model.{name}" for name in ("cli", "written_folders", "commands.", "bench.",
          "serve.", "report.", "explain.", "tune.", "baselines.", "compare.", "screen.")),
    )  # fmt: skip
    missing = {name for name in modules - shown if not name.startswith(told_elsewhere)}
    assert missing == set()


def test_files_that_pages_name_are_there() -> None:
    named = re.compile(r"`((?:tests|dcell_model|pipeline|data_specs)/[a-z_0-9/]+\.py)`")
    for page in [*DOCS.rglob("*.md"), *CHECKOUT.glob("*.md")]:
        for path in named.findall(page.read_text(encoding="utf-8")):
            assert (CHECKOUT / path).is_file(), f"{page.name} names {path}"


@pytest.mark.slow
def test_site(tmp_path: Path) -> None:
    """The site builds without a warning, and its pages fetch nothing from elsewhere."""
    pytest.importorskip("mkdocs", reason="the site needs the extra `docs`; make docs installs it")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=CHECKOUT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md")))  # and 404.html
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not _FETCHED.findall(text), page
    for sheet in tmp_path.rglob("*.css"):
        assert not re.findall(r"url\([\"']?(?:https?:)?//", sheet.read_text()), sheet
    assert (tmp_path / "search" / "search_index.js").is_file()  # the index for file://
