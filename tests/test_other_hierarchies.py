"""How-tos with files of their own: these are built from, and print what the page shows."""

import re
from pathlib import Path

import polars as pl
import pytest

from tests.conftest import CHECKOUT
from tests.tutorial import Block, _printed_by

HOW_TO = CHECKOUT / "docs" / "how-to"
_BLOCK = re.compile(
    r"(?:^<!-- file: (?P<file>\S+) -->\n)?^```(?P<kind>\w+)\n(?P<body>.*?)^```\n",
    re.MULTILINE | re.DOTALL,
)
_COMMAND = re.compile(r"\$ ((?:.*\\\n)*.*\n)")


def run_page(name: str, tmp_path: Path) -> tuple[list[str], list[str]]:
    """The files and the commands of a page, after every command did what the page shows."""
    files, commands = [], []
    for found in _BLOCK.finditer((HOW_TO / name).read_text(encoding="utf-8")):
        if found["file"]:
            (tmp_path / found["file"]).write_text(found["body"], encoding="utf-8")
            files.append(found["file"])
            continue
        if found["kind"] == "text":  # for a shell
            continue
        body = found["body"]
        while command := _COMMAND.match(body):
            body = body[command.end() :]
            output = "" if body.startswith("$ ") else body
            block = Block("console", command[0], output, "", found.span())
            printed = _printed_by(block.code.removeprefix("$ "), tmp_path)
            if block.output:
                assert block.agrees(printed), f"{block.code}{printed}\nis not what the page shows"
            commands.append(block.code.split()[2])
    return files, commands


@pytest.mark.slow
def test_cell_lines(tmp_path: Path) -> None:
    files, commands = run_page("cell-lines.md", tmp_path)
    assert len(files) == 7
    assert commands == [
        "build", "show", "train", "predict", "predict", "build", "train", "export"
    ]  # fmt: skip
    predicted = pl.read_csv(tmp_path / "palbociclib.csv")
    assert predicted["given"].to_list() == [f"LINE{number:02d}" for number in range(1, 13)]
    assert predicted["palbociclib_predicted"].n_unique() > 1
    tables = sorted(path.name for path in (tmp_path / "exchange" / "vnn").iterdir())
    for name in ("cell2mutation.txt", "cell2cndeletion.txt", "cell2cnamplification.txt"):
        assert name in tables
        assert "1" in (tmp_path / "exchange" / "vnn" / name).read_text()


@pytest.mark.slow
def test_other_hierarchies(tmp_path: Path) -> None:
    files, commands = run_page("other-hierarchies.md", tmp_path)
    assert len(files) == 10
    assert (commands.count("build"), commands.count("show"), commands.count("verify")) == (5, 4, 1)
