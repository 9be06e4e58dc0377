"""All commands on inputs whose names steer terminals, to outputs that show ASCII only."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from data_specs.terminal import printable
from tests.conftest import CHECKOUT, TINY
from tests.processes import Program
from tests.terminals import shown_in_a_terminal

BAD = "\x1b[5mé\u202e\u200b[red]"  # blinks, runs from right to left, hides, and is markup
SHOWN = "\\x1b[5m?\\u202e\\u200b[red]"
GENE = f"{BAD}3"  # in place of YAL003W
BUILD = "annotations.gene_id_columns=[11]", "hierarchy.containment=2"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names")
    obo = (TINY / "tiny.obo").read_text()
    obo = obo.replace("name: transport", f"name: transport {BAD}")
    obo = obo.replace("name: export", "name: =export \x1b]0;owned\x07 [/bold]")
    gaf = (TINY / "tiny.gaf").read_text().replace("YAL003W", GENE)
    gaf = gaf.replace("\tNYAL002W", "\t=cmd").replace("alias of YAL004W", "-syn\x9b2J")
    table = (TINY / "tiny.tsv").read_text().replace("YAL003W", GENE)
    (folder / "t.obo").write_text(obo, encoding="utf-8")
    (folder / "t.gaf").write_text(gaf, encoding="utf-8")
    (folder / "t.tsv").write_text(table.replace("fitness", f"fit{BAD}"), encoding="utf-8")
    return folder


def run(commands: list[list[str]], encoding: str = "utf-8") -> tuple[str, str]:
    """What commands of both programs print, one after the other, in one process."""
    program = (
        "import contextlib, sys\n"
        "from dcell_model.cli import main as dcell\n"
        "from pipeline.cli import main as data\n"
        f"for name, *arguments in {commands!r}:\n"
        "    status = 0\n"
        "    try: {'dcell': dcell, 'dcell-data': data}[name](arguments)\n"
        "    except SystemExit as end: status = end.code\n"
        "    print(name, arguments[0], '->', status)\n"
    )
    process = Program("-c", program, encoding=encoding, COLUMNS="200")
    printed = process.communicate()
    assert process.returncode == 0, printed
    return printed


@pytest.fixture(scope="module")
def build(inputs: Path) -> Path:
    """A build and a run, made with an output that shows ASCII only."""
    files = {name: str(inputs / f"t.{name}") for name in ("obo", "gaf", "tsv")}
    built, trained = str(inputs / "build"), str(inputs / "run")
    done = run(
        [
            ["dcell-data", "build", "--ontology", files["obo"], "--annotations", files["gaf"],
             "--genotypes", files["tsv"], "--set", *BUILD, "--out", built],
            ["dcell", "train", "--data", built, "--out", trained,
             "--set", "train.epochs=1", "model.width_min=3", "baselines.mlp_epochs=1"],
        ],
        encoding="ascii",
    )  # fmt: skip
    assert_clean(done, ["dcell-data build -> 0", "dcell train -> 0"])
    return inputs


def assert_clean(done: tuple[str, str], ends: list[str]) -> str:
    printed = "".join(done)
    assert printed.isascii()
    assert "Traceback" not in printed, printed
    assert "\x1b" not in printed, printed
    assert [line for line in printed.splitlines() if " -> " in line] == ends, printed
    return printed


def test_every_command_that_prints_names(build: Path) -> None:
    built, trained = str(build / "build"), str(build / "run")
    model = ["--checkpoint", str(build / "run" / "checkpoint.pt")]
    genotype = f"{GENE}|YAL001C"
    commands = {
        ("dcell-data", "verify", built): 0,
        ("dcell-data", "show", built, "--genotype", genotype): 0,
        ("dcell-data", "show", built, "--genotype", f"{BAD}|YAL001C"): 1,
        ("dcell-data", "split", built, "--seeds", "0", "--methods", BAD): 1,
        ("dcell-data", "split", built, "--seeds", "0"): 0,
        ("dcell-data", "export", built, "--format", "graphml", "--out", str(build / BAD)): 1,
        ("dcell-data", "parameters", "--set", f"{BAD}=1"): 1,
        ("dcell", "summary", "--ledger", f"{built}/ledger.json", "--run", trained): 0,
        ("dcell", "predict", *model, "--genotypes", f"{genotype};{BAD}", "--subsystems"): 0,
        ("dcell", "predict", "--checkpoint", f"/nowhere/{BAD}", "--genotypes", "A"): 1,
        ("dcell", "screen", *model, "--order", "2", "--score", "additive", "--with", GENE,
         "--out", str(build / "screen")): 0,
        ("dcell", "screen", *model, "--order", "2", "--phenotype", BAD,
         "--out", str(build / "s")): 1,
        ("dcell", "explain", *model, "--data", built, "--min-samples", "2", "--permutations", "9",
         "--out", str(build / "explained")): 0,
        ("dcell", "report", "--data", built, "--run", trained): 0,
        ("dcell", "compare", "--data", built, "--out", str(build / "compared"), "--seeds", "0",
         "--splits", "random", "--models", "mean", "ridge"): 0,
        ("dcell", "tune", "--data", built, "--out", str(build / BAD), "--trials", "1",
         "--set", "train.epochs=1", f"train.phenotypes=[{BAD}]"): 1,
        ("dcell", "export", *model, "--out", str(build / f"{BAD}.npz")): 0,
        ("dcell", "predict", *model, "--genotypes", "A", BAD): 1,
        ("dcell", "--help"): 0,
    }  # fmt: skip
    done = run([list(command) for command in commands], encoding="ascii")
    ends = [f"{name} {first} -> {status}" for (name, first, *_), status in commands.items()]
    printed = assert_clean(done, ends)
    assert printed.count(SHOWN) > 20
    assert f"{SHOWN}3 YAL001C" in printed  # a cell of rich
    assert "\\x1b]0;owned\\x07 [/bold]" in printed
    page = (build / "run" / "report.html").read_text(encoding="utf-8")
    assert printable(page) == page
    assert SHOWN.replace("?", "é") in page


def test_names_on_the_command_line_are_utf8_in_any_locale(build: Path) -> None:
    """Python takes them for ASCII with surrogates there."""
    done = subprocess.run(
        [sys.executable, "-m", "dcell_model.cli", "predict", "--genotypes", GENE,
         "--checkpoint", str(build / "run" / "checkpoint.pt")],
        capture_output=True, cwd=CHECKOUT, check=False,
        env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
                          "PYTHONPATH": str(CHECKOUT), "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"{SHOWN}3".encode()) == 2  # as written, and as the model knows it


def test_what_is_written_for_spreadsheets_is_read_back(build: Path) -> None:
    """The same genes by the same names; numbers stay numbers."""
    model = ["--checkpoint", str(build / "run" / "checkpoint.pt")]
    genotypes = "=cmd; -syn\x9b2J; @nobody; YAL001C|=cmd; " + GENE
    first, again = build / "p.csv", build / "again.tsv"
    done = run(
        [
            ["dcell", "predict", *model, "--genotypes", genotypes, "--out", str(first)],
            ["dcell", "predict", *model, "--genotypes", str(first), "--out", str(again)],
        ]
    )
    assert done[0].count("dcell predict -> 0") == 2, done
    lines = first.read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[1].strip('"') for line in lines[1:]] == [
        "'=cmd", "'-syn\x9b2J", "'@nobody", "YAL001C|=cmd", GENE,
    ]  # fmt: skip
    genes = [line.split(",")[2].strip('"') for line in lines[1:]]
    cells = [line.split("\t") for line in again.read_text(encoding="utf-8").splitlines()[1:]]
    assert [own[2].strip('"') for own in cells] == genes
    assert [float(own[-1]) for own in cells] == [float(line.split(",")[-1]) for line in lines[1:]]


def test_colours_come_and_names_are_clean(build: Path) -> None:
    """On a terminal, where rich draws."""
    model = str(build / "run" / "checkpoint.pt")
    command = ["predict", "--checkpoint", model, "--genotypes", f"{GENE}|YAL001C"]
    printed = shown_in_a_terminal(["-m", "dcell_model.cli", *command], COLUMNS="200")
    assert b"\x1b[1m" in printed
    assert b"\x1b[5m" not in printed
    assert f"{SHOWN}3 YAL001C".replace("?", "é").encode() in printed
