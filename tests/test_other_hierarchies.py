"""docs/how-to/other-hierarchies.md: its files are built from, and print what the page shows."""

import re
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT
from tests.tutorial import Block, _printed_by

PAGE = CHECKOUT / "docs" / "how-to" / "other-hierarchies.md"
_BLOCK = re.compile(
    r"(?:^<!-- file: (?P<file>\S+) -->\n)?^```(?P<kind>\w+)\n(?P<body>.*?)^```\n",
    re.MULTILINE | re.DOTALL,
)
_COMMAND = re.compile(r"\$ ((?:.*\\\n)*.*\n)")


@pytest.mark.slow
def test_every_example_of_the_page(tmp_path: Path) -> None:
    files, commands = [], []
    for found in _BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if found["file"]:
            (tmp_path / found["file"]).write_text(found["body"], encoding="utf-8")
            files.append(found["file"])
            continue
        assert found["kind"] == "console"
        command = _COMMAND.match(found["body"])
        assert command
        block = Block("console", command[0], found["body"][command.end() :], "", found.span())
        printed = _printed_by(block.code.removeprefix("$ "), tmp_path)
        if block.output:
            assert block.agrees(printed), f"{block.code}{printed}\nis not what the page shows"
        commands.append(block.code.split()[2])
    assert len(files) == 10
    assert (commands.count("build"), commands.count("show"), commands.count("verify")) == (5, 4, 1)
