"""The command `dcell-data`."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from data_specs.cell_graph import CellGraph
from data_specs.chain import digest_of
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.parameters import resolve
from data_specs.store import StoreReader
from data_specs.tables import parts_of
from pipeline import cli, split
from pipeline.build import build
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


@pytest.fixture
def split_build(simulated_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A build of simulated files with two splits beside its own."""
    shutil.copytree(simulated_build, tmp_path / "build")
    run(capsys, "split", str(tmp_path / "build"), "--methods", "gene", "--seeds", "0", "1")
    return tmp_path / "build"


def bytes_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_controls_have_the_samples_and_splits_of_their_build(
    capsys: pytest.CaptureFixture[str], split_build: Path
) -> None:
    before = bytes_of(split_build)
    printed = run(capsys, "control", str(split_build), "--seeds", "1").splitlines()
    assert [line.split("build/")[1].split("  ")[0] for line in printed] == [
        "controls/genes-1", "controls/terms-1",
    ]  # fmt: skip
    assert "genes, seed 1: " in printed[0]
    assert printed[0].endswith(" annotations moved")
    prints = {CellGraph.read(split_build / "cell_graph").fingerprint}
    for name in ("genes-1", "terms-1"):
        control = split_build / "controls" / name
        assert "FAIL" not in run(capsys, "verify", str(control))
        prints.add(CellGraph.read(control / "cell_graph").fingerprint)
        for name_of_split in ("split", "splits/gene-0", "splits/gene-1"):
            parts = Path(name_of_split) / "split.parquet"
            assert (control / parts).read_bytes() == (split_build / parts).read_bytes()
            link = read_json(control / name_of_split / "link.json")
            assert link["made_from"] == {"store": digest_of(DataLayout(control), "store")}
        for samples in parts_of(split_build / "store" / "samples.parquet"):
            own = control / "store" / "samples.parquet" / samples.name
            assert own.read_bytes() == samples.read_bytes()
        tables = sorted((split_build / "networks").glob("*.parquet"))
        assert [(control / "networks" / t.name).read_bytes() for t in tables] == [
            table.read_bytes() for table in tables
        ]
        assert len(tables) == 2
    assert len(prints) == 3
    after = bytes_of(split_build)
    assert {name: after[name] for name in before} == before


def test_a_control_is_what_a_build_with_its_parameters_is(
    capsys: pytest.CaptureFixture[str], split_build: Path, tmp_path: Path
) -> None:
    run(capsys, "control", str(split_build), "--controls", "terms", "--seeds", "5")
    parameters = resolve(
        {**read_json(split_build / "params.json"),
         "hierarchy": {"control": "terms", "control_seed": 5}}
    )  # fmt: skip
    fresh = bytes_of(build(parameters, tmp_path / "fresh").root)
    control = bytes_of(split_build / "controls" / "terms-5")
    assert {name: text for name, text in control.items() if not name.startswith("splits/")} == fresh


def test_a_control_that_is_there_is_kept(
    capsys: pytest.CaptureFixture[str], split_build: Path
) -> None:
    command = ["control", str(split_build), "--controls", "genes", "--seeds", "0"]
    run(capsys, *command)
    control = split_build / "controls" / "genes-0"
    before = bytes_of(control)
    assert run(capsys, *command) == f"{control}  kept\n"
    assert bytes_of(control) == before
    # A split that was made later comes in.
    run(capsys, "split", str(split_build), "--methods", "random", "--seeds", "4")
    assert run(capsys, *command) == f"{control}  kept, with new splits: random-4\n"
    parts = Path("splits") / "random-4" / "split.parquet"
    assert (control / parts).read_bytes() == (split_build / parts).read_bytes()
    # One that is another now is not replaced unasked.
    run(capsys, "split", str(split_build), "--methods", "gene", "--seeds", "0",
        "--set", "split.test=0.3", "--overwrite")  # fmt: skip
    assert "is another split than" in fail(capsys, *command)
    assert "moved" in run(capsys, *command, "--overwrite")
    parts = Path("splits") / "gene-0" / "split.parquet"
    assert (control / parts).read_bytes() == (split_build / parts).read_bytes()
    (control / "notes.txt").write_text("mine")
    run(capsys, *command, "--overwrite")
    assert (control / "notes.txt").read_text() == "mine"


def test_controls_of_an_earlier_build_are_not_kept(
    capsys: pytest.CaptureFixture[str], tiny_build: Path, tmp_path: Path
) -> None:
    out = tmp_path / "build"
    command = ["control", str(out), "--controls", "genes", "--seeds", "0"]
    shutil.copytree(tiny_build, out)
    run(capsys, *command)
    run(capsys, *BUILD, "hierarchy.containment=1", "--out", str(out), "--overwrite")
    message = fail(capsys, *command)
    assert "is a control of another build (other parameters of hierarchy)" in message
    run(capsys, *command, "--overwrite")
    assert "FAIL" not in run(capsys, "verify", str(out / "controls" / "genes-0"))
    split.run(resolve({"split": {"seed": 1}}), DataLayout(out))
    assert "is a control of another build (other split)" in fail(capsys, *command)


def test_what_has_no_controls(capsys: pytest.CaptureFixture[str], split_build: Path) -> None:
    command = ["--controls", "genes", "--seeds", "0"]
    assert "no such folder" in fail(capsys, "control", str(split_build / "nothing"), *command)
    run(capsys, "control", str(split_build), *command)
    control = split_build / "controls" / "genes-0"
    message = fail(capsys, "control", str(control), *command)
    assert "is itself a control (genes, seed 0); give the folder of the real build" in message
    settings = ["--set", "hierarchy.containment=7"]
    assert "does not use hierarchy.containment" in fail(
        capsys, "control", str(split_build), *command, *settings
    )
    (split_build / "params.json").unlink()
    assert "nothing is known of how" in fail(capsys, "control", str(split_build), *command)


def test_controls_of_samples_that_their_parameters_do_not_give(
    capsys: pytest.CaptureFixture[str], tiny_build: Path, tmp_path: Path
) -> None:
    build = tmp_path / "build"
    shutil.copytree(tiny_build, build)
    path = build / "params.json"
    write_json(path, read_json(path) | {"genotypes": {"unannotated": "drop"}})
    message = fail(capsys, "control", str(build), "--controls", "terms", "--seeds", "0")
    assert "its samples are not those that its own parameters and tables give" in message
    assert not (build / "controls" / "terms-0").exists()


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
    assert f"example:\n  dcell-data {command}" in capsys.readouterr().out


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
