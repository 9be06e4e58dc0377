"""Runs the code blocks of docs/tutorial.md in the order of the page, and writes what they print.

    python -m tests.tutorial    # after a change that the page should show

A block of ```console holds one command after `$ `, and what it prints; what a ```python block
prints stands in the ```text block after it. All Python blocks share one set of names. A comment
before a block, `<!-- measured -->`, says that its numbers differ between machines, and `<!-- not
run: WHY -->` speaks for itself. A line `…` in an output stands for any lines.
"""

import contextlib
import io
import re
import shlex
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import CHECKOUT
from tests.processes import Program

PAGE = CHECKOUT / "docs" / "tutorial.md"
_BLOCK = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*) -->\n)?^```(?P<kind>\w+)\n(?P<body>.*?)^```\n"
    r"(?:\n```text\n(?P<output>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
_COMMAND = re.compile(r"\$ ((?:.*\\\n)*.*\n)")
_NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?(?:e[-+]\d+)?")
_DIGEST = re.compile(r"\b[0-9a-f]{8,64}\b")  # a score may round otherwise on another processor
_PROGRAMS = {"dcell-data": "pipeline.cli", "dcell": "dcell_model.cli"}


@dataclass(frozen=True, slots=True)
class Block:
    """A code block and the output that the page shows of it.

    `place` is that of the whole block in the page, the block of its output included.
    """

    kind: str
    code: str
    output: str
    note: str
    place: tuple[int, int]

    @property
    def is_run(self) -> bool:
        return not self.note.startswith("not run: ")

    def comparable(self, output: str) -> str:
        """The output without white space at ends of lines, and without what differs by machine."""
        lines = _DIGEST.sub("0", "\n".join(line.rstrip() for line in output.splitlines()))
        if self.note == "measured":
            lines = re.sub(r" +|─+", " ", _NUMBER.sub("0", lines))
        return lines.strip("\n")

    def agrees(self, printed: str) -> bool:
        """Whether the page shows what was printed."""
        shown = re.split(r"^ *…$", self.comparable(self.output), flags=re.MULTILINE)
        pattern = ".*".join(re.escape(part) for part in shown)
        return re.fullmatch(pattern, self.comparable(printed), re.DOTALL) is not None

    def text(self, output: str) -> str:
        """The block as it should stand in the page."""
        shown = "".join(line.rstrip() + "\n" for line in output.strip("\n").splitlines())
        note = f"<!-- {self.note} -->\n" if self.note else ""
        if self.kind == "console":
            return f"{note}```console\n{self.code}{shown}```\n"
        block = f"{note}```python\n{self.code}```\n"
        return block + (f"\n```text\n{shown}```\n" if shown else "")


def blocks(page: str) -> list[Block]:
    """The code blocks of a page in order."""
    found = []
    for match in _BLOCK.finditer(page):
        code, output = match["body"], match["output"] or ""
        if match["kind"] == "console" and not (match["note"] or "").startswith("not run"):
            command = _COMMAND.match(code)
            assert command, f"a console block begins with '$ ', not {code!r}"
            assert not output, "what a command prints stands in its own block"
            code, output = command[0], code[command.end() :]
        found.append(Block(match["kind"], code, output, match["note"] or "", match.span()))
    return found


def run(page: list[Block], folder: Path) -> Iterator[tuple[Block, str]]:
    """Run the blocks in a folder; yield each with what it prints."""
    names: dict[str, Any] = {}
    with contextlib.chdir(folder):
        for block in page:
            if not block.is_run:
                yield block, block.output
            elif block.kind == "console":
                yield block, _printed_by(block.code.removeprefix("$ "), folder)
            else:
                with contextlib.redirect_stdout(io.StringIO()) as printed:
                    exec(compile(block.code, str(PAGE), "exec"), names)  # the page's own code
                yield block, printed.getvalue()


def _printed_by(command: str, folder: Path) -> str:
    """What a command prints; the project's own run from this checkout."""
    name, *arguments = shlex.split(command.replace("\\\n", ""))
    program = f"from {_PROGRAMS[name]} import main; main()"
    with tempfile.NamedTemporaryFile() as printed:
        process = Program(
            "-c", program, *arguments, cwd=folder, terminal=printed.name,
            COLUMNS="80", POLARS_MAX_THREADS="1",
        )  # fmt: skip
        process.communicate()
        shown = printed.read().decode()
    assert process.returncode == 0, f"{command}{shown}"
    return shown


def main() -> None:
    """Put what the blocks print into the page."""
    page = PAGE.read_text(encoding="utf-8")
    began, written, at = time.monotonic(), "", 0
    with tempfile.TemporaryDirectory() as folder:
        for block, output in run(blocks(page), Path(folder)):
            kept = block.output if block.agrees(output) and "…\n" in block.output else output
            written += page[at : block.place[0]] + block.text(kept)
            at = block.place[1]
    PAGE.write_text(written + page[at:], encoding="utf-8")
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
