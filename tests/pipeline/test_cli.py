"""The command `dcell-data`."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from data_specs.store.reader import StoreReader
from pipeline import cli
from tests.conftest import TINY

BUILD = [
    "build", "--ontology", str(TINY / "tiny.obo"), "--annotations", str(TINY / "tiny.gaf"),
    "--genotypes", str(TINY / "tiny.tsv"),
    "--set", "annotations.gene_id_columns=[11]", "annotations.gene_id_pattern=YAL[0-9]{3}[CW]",
    "hierarchy.containment=2",
]  # fmt: skip


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    cli.main(arguments)
    return capsys.readouterr().out


def fail(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 1
    return capsys.readouterr().err


def test_build_verify_show(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = str(tmp_path / "build")
    assert "45 samples" in run(capsys, *BUILD, "--out", out)
    assert "FAIL" not in run(capsys, "verify", out)
    shown = run(capsys, "show", out, "--genotype", "YAL001C|YAL002W")
    assert "GO:0000003 export" in shown
    assert max(len(line) for line in shown.splitlines() if "input" not in line) <= 100


def test_show_takes_any_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Systematic, standard, synonym, in any case; a gene that is named twice is deleted once."""
    text = (TINY / "tiny.gaf").read_text().replace("alias of ", "alias-of-")
    (tmp_path / "tiny.gaf").write_text(text)
    given = [str(tmp_path / "tiny.gaf") if part.endswith(".gaf") else part for part in BUILD]
    out = str(tmp_path / "build")
    run(capsys, *given, "--out", out)
    for genotype in ("YAL001C|YAL002W", "NYAL001C, nyal002w", "alias-of-YAL001C YAL002W YAL001C"):
        shown = run(capsys, "show", out, "--genotype", genotype)
        assert "deleting YAL001C (NYAL001C), YAL002W (NYAL002W) changes" in shown
        assert "GO:0000003 export" in shown


def test_show_knows_genes_without_annotation(
    capsys: pytest.CaptureFixture[str], tiny_build: Path
) -> None:
    other = StoreReader(tiny_build / "store").meta.other_genes[0]
    shown = run(capsys, "show", str(tiny_build), "--genotype", other.lower())
    assert f"deleting {other} (N{other}) changes 0 rows" in shown
    assert f"near: {other}" in fail(capsys, "show", str(tiny_build), "--genotype", f"{other}X")
    assert "names no gene" in fail(capsys, "show", str(tiny_build), "--genotype", " ")


def test_show_names_near_genes(capsys: pytest.CaptureFixture[str], tiny_build: Path) -> None:
    assert "near: YAL001C" in fail(capsys, "show", str(tiny_build), "--genotype", "YAL001CX")


def test_verify_of_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "checks failed" in fail(capsys, "verify", str(tmp_path))


def test_unknown_parameter(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    message = fail(capsys, *BUILD, "hierarchy.containmnt=3", "--out", str(tmp_path / "x"))
    assert "unknown 'hierarchy.containmnt'; did you mean 'hierarchy.containment'?" in message


def test_split_again(capsys: pytest.CaptureFixture[str], tiny_build: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    shutil.copytree(tiny_build, build)
    printed = run(capsys, "split", str(build), "--methods", "random", "--seeds", "0", "1")
    assert "random-1  35 train, 5 val, 5 test" in printed
    parts = [(build / "splits" / f"random-{n}" / "split.parquet").read_bytes() for n in (0, 1)]
    assert parts[0] != parts[1]
    # The seed of the build is 0: this is its own split once more.
    assert parts[0] == (build / "split" / "split.parquet").read_bytes()
    assert "FAIL" not in run(capsys, "verify", str(build))


def test_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    values = json.loads(run(capsys, "parameters", "--preset", "paper-2018"))
    assert values["hierarchy"]["containment"] == 6


def test_simulate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    small = ["simulate.terms=30", "simulate.genes=80", "simulate.annotations=300",
             "simulate.queries=4", "simulate.arrays=40", "simulate.triples=100"]  # fmt: skip
    out = tmp_path / "raw"
    run(capsys, "simulate", "--set", *small, "--out", str(out))
    assert {path.name for path in out.iterdir()} == {
        "ontology.obo", "annotations.gaf", "genotypes.tsv", "truth.json",
        "complexes.tsv", "coexpression.tsv",
    }  # fmt: skip
    assert "name a new or empty folder" in fail(capsys, "simulate", "--out", str(out))


@pytest.mark.parametrize(
    "command", ["build", "simulate", "verify", "show", "split", "control", "parameters"]
)
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    assert f"Example:\n  dcell-data {command}" in capsys.readouterr().out


def test_errors_have_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "show", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_export(capsys: pytest.CaptureFixture[str], tiny_build: Path, tmp_path: Path) -> None:
    out = tmp_path / "cx2"
    shown = run(capsys, "export", str(tiny_build), "--format", "cx2", "--out", str(out))
    assert [line.split()[0] for line in shown.splitlines()] == [
        str(out / name) for name in ("hierarchy.cx2", "hierarchy_parent.cx2", "gene2ind.txt")
    ]
    again = ("export", str(tiny_build), "--format", "cx2", "--out", str(out))
    assert "name a new or empty folder" in fail(capsys, *again)
