"""The command `dcell-data control`: other hierarchies on the same samples and splits."""

import shutil
from pathlib import Path

import pytest

from data_specs.cell_graph import CellGraph
from data_specs.chain import digest_of
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.parameters.sections import resolve
from data_specs.tables import parts_of
from pipeline.build import build
from pipeline.split import stage as split
from tests.pipeline.test_cli import BUILD, fail, run


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
    assert "the parameters of the build are unknown" in fail(
        capsys, "control", str(split_build), *command
    )


def test_controls_of_samples_that_their_parameters_do_not_give(
    capsys: pytest.CaptureFixture[str], tiny_build: Path, tmp_path: Path
) -> None:
    build = tmp_path / "build"
    shutil.copytree(tiny_build, build)
    path = build / "params.json"
    write_json(path, read_json(path) | {"store": {"unannotated": "drop"}})
    message = fail(capsys, "control", str(build), "--controls", "terms", "--seeds", "0")
    assert "its samples are not those that its own parameters and tables give" in message
    assert not (build / "controls" / "terms-0").exists()
