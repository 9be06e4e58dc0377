"""Builds, runs, splits and exports over earlier ones, through the commands, two at a time too."""

import json
import os
import signal
from pathlib import Path

import pytest

from data_specs.layout import DataLayout
from dcell_model import cli as model_cli
from pipeline import cli as pipeline_cli
from pipeline.verify import verify
from tests.processes import Program
from tests.test_faults import BUILD, QUICK
from tests.test_outputs import refused, tree


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("replaced") / "build"
    pipeline_cli.main([*BUILD, "--out", str(out)])
    return out


def test_building_again(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = {
        "runs/first/checkpoint.pt": "a run", "notes.txt": "notes", "store/notes.txt": "notes",
        "plots/mine.png": "an image", ".hidden/x": "x", "networks/mine.parquet": "mine",
    }  # fmt: skip
    for name, text in mine.items():
        (built / name).parent.mkdir(parents=True, exist_ok=True)
        (built / name).write_text(text)
    (built / "empty").mkdir()
    (built / "link").symlink_to("notes.txt")
    split = ["split", str(built), "--methods", "random", "--seeds", "1"]
    pipeline_cli.main(split)
    before = tree(built)
    again = [*BUILD, "store.layout=dense", "--out", str(built)]
    said = refused(pipeline_cli.main, again, capsys)
    assert f"{built}: holds a build (dcell-data.json), written 20" in said
    assert "--overwrite" in said
    assert tree(built) == before
    pipeline_cli.main([*again, "--overwrite"])
    after = tree(built)
    assert after["params.json"] != before["params.json"]
    for name in (*mine, "empty", "link", "splits/random-1/split.parquet"):
        assert after[name] == before[name], name
    assert all(check.passed for check in verify(DataLayout(built)))
    assert [path.name for path in built.parent.iterdir()] == ["build"]
    # The split was of the earlier store: kept, but of no use any more, and both commands say so.
    capsys.readouterr()
    compare = ["compare", "--data", str(built), "--out", str(built / "compared"), "--splits",
               "random", "--seeds", "1", "--models", "ridge"]  # fmt: skip
    said = refused(model_cli.main, compare, capsys)
    assert "splits/random-1: was made from another store" in said
    assert "--overwrite" in said
    said = refused(pipeline_cli.main, split, capsys)
    assert "splits/random-1: holds another split, written 20" in said
    pipeline_cli.main([*split, "--overwrite"])
    (built / "splits" / "random-1" / "notes.txt").write_text("mine")
    pipeline_cli.main(split)  # the same: nothing to ask for
    model_cli.main(compare)
    assert (built / "splits" / "random-1" / "notes.txt").read_text() == "mine"


def test_an_input_in_the_build_itself(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It would be gone, since a build of one's own files does not write it."""
    (built / "simulated").mkdir(exist_ok=True)
    (built / "simulated" / "genotypes.tsv").write_text("mine")
    given = [*BUILD, "--genotypes", str(built / "simulated" / "genotypes.tsv")]
    said = refused(pipeline_cli.main, [*given, "--out", str(built), "--overwrite"], capsys)
    assert "genotypes.tsv: is read, and would be replaced by what is written into" in said
    (built / "simulated" / "genotypes.tsv").unlink()
    (built / "simulated").rmdir()


def test_built_through_a_link_and_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    pipeline_cli.main([*BUILD, "--out", str(tmp_path / "link")])
    pipeline_cli.main([*BUILD, "--out", str(tmp_path / "link"), "--overwrite"])
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / "dcell-data.json").is_file()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    pipeline_cli.main([*BUILD, "--out", "."])
    assert all(check.passed for check in verify(DataLayout(Path())))
    said = refused(pipeline_cli.main, [*BUILD, "--out", ".", "--overwrite"], capsys)
    assert ".: cannot be replaced from within" in said
    pipeline_cli.main(["export", ".", "--format", "obo", "--out", "exported"])
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    pipeline_cli.main(["export", "../here", "--format", "obo", "--out", "sub/.."])
    assert sorted(os.listdir()) == ["annotations.gaf", "hierarchy.obo"]  # noqa: PTH208
    for where in (tmp_path, tmp_path / "here", tmp_path / "there"):
        assert not [path for path in where.iterdir() if path.name.startswith(".")]


def test_exporting_again(
    tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "cx2"
    arguments = ["export", str(tiny_build), "--format", "obo", "--out", str(out)]
    pipeline_cli.main(arguments)
    (out / "notes.txt").write_text("mine")
    (out / "hierarchy.obo").write_text("changed")
    said = refused(pipeline_cli.main, arguments, capsys)
    assert "name a new or empty folder" in said
    assert "hierarchy.obo" in said
    pipeline_cli.main([*arguments, "--overwrite"])
    assert (out / "hierarchy.obo").read_text() != "changed"
    assert (out / "notes.txt").read_text() == "mine"


def train(data: Path, out: Path, *more: str) -> list[str]:
    return ["train", "--data", str(data), "--out", str(out), *more, "--set", *QUICK]


def test_training_again(
    tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    model_cli.main(train(tiny_build, out))
    mine = ("notes.txt", "plots/mine.png", "live/plots/metrics/mine.tsv", "live/notes", ".x/y")
    for name in mine:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine")
    before = tree(out)
    capsys.readouterr()
    said = refused(model_cli.main, train(tiny_build, out), capsys)
    assert f"{out}: holds a run (baselines.json, baselines.parq" in said
    assert "continue it with --resume" in said
    assert tree(out) == before
    model_cli.main([*train(tiny_build, out, "--overwrite"), "train.seed=7"])
    after = tree(out)
    assert after["checkpoint.pt"] != before["checkpoint.pt"]
    assert [after[name] for name in mine] == [b"mine"] * len(mine)
    assert after.keys() == before.keys()
    tsv = (out / "live" / "plots" / "metrics" / "train_loss.tsv").read_text()
    assert len(tsv.splitlines()) == 1 + 2  # of this run's epochs alone


def test_a_run_that_was_begun_is_not_replaced_either(
    tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dcell-run.json").write_text('{"format": "dcell-run", "version": 1}\n')
    (tmp_path / "last.pt").write_text("a day of training")
    assert "holds a run (last.pt)" in refused(model_cli.main, train(tiny_build, tmp_path), capsys)
    assert (tmp_path / "last.pt").read_text() == "a day of training"


def start(arguments: list[str]) -> Program:
    return Program("-m", "dcell_model.cli", *arguments)


def test_two_trainings_into_one_folder(tiny_build: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    long = [*train(tiny_build, out), "train.epochs=1000000"]
    first = start(long)
    assert first.reaches((out / "last.pt").exists), first.communicate()
    for more in ([], ["--overwrite"], ["--resume"]):
        second = start(train(tiny_build, out, *more))
        _, said = second.communicate(timeout=120)
        assert second.returncode == 1
        assert said.startswith(f"error: {out}: is being written by another process: "
                               f"process {first.pid} on ")  # fmt: skip
        assert "train --data" in said
        assert len(said.splitlines()) == 1
    assert first.poll() is None
    first.send_signal(signal.SIGKILL)
    first.communicate()
    third = start(train(tiny_build, out, "--overwrite"))
    _, said = third.communicate(timeout=120)
    assert third.returncode == 0, said
    assert json.loads((out / "train.json").read_text())["epochs"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_the_stage_of_dvc_goes_on_as_ever(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own folder is cleared by DVC, or replaced without a question; no lock is left in it."""
    from dcell_model.train import __main__ as stage

    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(tiny_build)
    (tmp_path / "params.yaml").write_text("train: {epochs: 1, batch_size: 16}\n")
    for _ in range(2):
        stage.main([])
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["train"]
    assert not list((tmp_path / "results" / "train").rglob(".*"))
    with pytest.raises(SystemExit):
        stage.main(["--out", "results/train"])
    stage.main(["--out", "results/train", "--overwrite"])
