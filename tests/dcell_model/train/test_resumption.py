"""A run that was stopped goes on with its own parameters, and says how."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from data_specs.errors import InputError
from data_specs.parameters.sections import resolve
from dcell_model import cli, train
from dcell_model.checkpoint import format as checkpoint
from dcell_model.compare import command as compare
from dcell_model.train import __main__ as stage
from dcell_model.train.resumption import parameters_of, rate_after
from tests.processes import Program

SMALL = ["train.batch_size=16", "train.lr=1e-2", "model.width_min=4", "baselines.mlp_epochs=2"]


def start(data: Path, out: Path, *more: str, at: str = "dcell_model.train") -> Program:
    command = {
        "dcell_model.train": ["-m", "dcell_model.train"],
        "dcell": ["-c", "from dcell_model.cli import main; main()", "train"],
    }[at]
    return Program(*command, "--data", str(data), "--out", str(out), *more, cwd=out.parent)


@pytest.fixture(scope="module")
def finished(tiny_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs, begun from another folder than the checkout; read only."""
    out = tmp_path_factory.mktemp("anywhere") / "run"
    process = start(tiny_build, out, "--set", "train.epochs=2", *SMALL)
    printed, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert printed.count("of 2: loss ") == 2
    return out


def test_both_commands_train_with_the_builds_parameters(
    finished: Path, tiny_build: Path, tmp_path: Path
) -> None:
    given = {"data": tiny_build, "assignments": ["train.epochs=2", *SMALL]}
    parameters, _ = parameters_of(out=tmp_path, where="dcell train", **given)  # type: ignore[arg-type]
    record = json.loads((finished / "train.json").read_text())
    assert resolve(record["settings"]) == parameters


def test_nothing_need_be_repeated(finished: Path, tiny_build: Path, tmp_path: Path) -> None:
    out = shutil.copytree(finished, tmp_path / "run")
    parameters, notes = parameters_of(tiny_build, out, ["train.epochs=3"], resume=True, where="x")
    assert (parameters.train.lr, parameters.model.width_min) == (0.01, 4)
    assert parameters.baselines.mlp_epochs == 2  # though no model depends on it
    assert "train.epochs is 3, it was 2: from epoch 3 on the learning rate" in notes[0]
    record = train.run(tiny_build, out, parameters, resume=True)
    assert [row["epoch"] for row in record["history"]] == [1, 2, 3]
    assert record["history"][2]["lr"] < record["history"][0]["lr"]
    again, notes = parameters_of(tiny_build, out, resume=True, where="x")
    assert again.train.epochs == 3
    assert notes == [
        f"{out}: nothing is left to train: all 3 epochs are done. --set train.epochs=N trains on."
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["train.lr=0.5"], r"was trained with train\.lr=0\.01, now it is 0\.5"),
        (["train.epochs=1"], r"train\.epochs may be raised only"),
        (["split.seed=3"], r"does not use split\.seed"),
        (["preset=torchcell"], "was trained with"),
    ],
)
def test_what_may_not_change(
    finished: Path, tiny_build: Path, given: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        parameters_of(tiny_build, finished, given, resume=True, where="dcell train")


def test_a_file_holds_the_run_to_it(finished: Path, tiny_build: Path, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("train: {epochs: 2}\n")
    with pytest.raises(InputError, match="now it is"):
        parameters_of(tiny_build, finished, params=path, resume=True, where="dcell train")


def test_a_run_of_an_earlier_version(finished: Path, tiny_build: Path, tmp_path: Path) -> None:
    out = shutil.copytree(finished, tmp_path / "run")
    state = checkpoint.load(out / "last.pt")
    del state["settings"]
    checkpoint.save(state, out / "last.pt")
    parameters, _ = parameters_of(tiny_build, out, resume=True, where="dcell train")
    assert (parameters.train.lr, parameters.model.width_min) == (0.01, 4)


def test_the_command_says_that_nothing_is_left(
    finished: Path, tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shutil.copytree(finished, tmp_path / "run")
    cli.main(["train", "--data", str(tiny_build), "--out", str(out), "--resume"])
    printed = capsys.readouterr()
    assert "nothing is left to train: all 2 epochs are done" in printed.err
    assert "DCell" in printed.out
    assert (out / "scores.json").is_file()


def test_a_comparison_does_not_go_on_longer(tiny_build: Path, tmp_path: Path) -> None:
    """What stands beside others was trained like them."""
    data = shutil.copytree(tiny_build, tmp_path / "data")
    shutil.copytree(data / "split", data / "splits" / "random-0")
    given = {"batch_size": 16, "epochs": 1}
    folder = tmp_path / "out" / "random-0" / "dcell"
    train.run(data, folder, resolve({"train": given}), split="random-0")
    (tmp_path / "out" / compare.MARKER).write_text(json.dumps(compare.FORMAT))
    with pytest.raises(InputError, match=r"train\.epochs=1, now it is 2"):
        compare.run(
            data, tmp_path / "out", resolve({"train": given | {"epochs": 2}}),
            methods=["random"], seeds=[0], models=["dcell"],
        )  # fmt: skip


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", ["dcell_model.train", "dcell"])
def test_who_stops_it_is_told_how_to_go_on(
    tiny_build: Path, tmp_path: Path, at: str, end: signal.Signals
) -> None:
    out = tmp_path / "a run"
    process = start(tiny_build, out, "--set", "train.epochs=9999", *SMALL, at=at)
    assert process.reaches((out / "last.pt").exists), process.communicate()
    process.send_signal(end)
    printed, error = process.communicate(timeout=120)
    assert process.returncode == 130, error
    command = {"dcell": "dcell train"}.get(at, f"python -m {at}")
    told = error.splitlines()[-2:]
    assert told[0].startswith("interrupted; ")
    assert told[0].endswith(f"kept in {out}/last.pt. To go on:")
    assert told[1] == f"  {command} --data {tiny_build} --out '{out}' --resume"
    kept = int(told[0].split()[1])
    assert kept == len(checkpoint.load(out / "last.pt")["history"])
    assert printed.count("of 9999: loss ") >= kept - 1


def test_what_a_stage_of_dvc_is_told(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """`dvc repro` removes what an interrupted stage has left, and begins anew."""
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text("train:\n")
    (tmp_path / "data").mkdir()
    shutil.copytree(finished, tmp_path / "results" / "train")

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "run", interrupted)
    with pytest.raises(SystemExit):
        stage.main([])
    told = capsys.readouterr().err
    assert "2 epochs kept in results/train/last.pt" in told
    assert "-m dcell_model.train --resume && dvc commit --force train && dvc repro" in told


def test_stopped_before_anything_was_kept(
    tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "run", interrupted)
    out = tmp_path / "run"
    with pytest.raises(SystemExit):
        cli.main(["train", "--data", str(tiny_build), "--out", str(out)])
    assert f"no epoch was finished, and nothing is kept in {out}" in capsys.readouterr().err


def test_the_learning_rate_falls_to_nothing() -> None:
    cosine = resolve({"train": {"lr": 0.5}}).train
    assert [rate_after(share, cosine) for share in (0, 0.5, 1)] == pytest.approx([0.5, 0.25, 0])
    constant = resolve({"train": {"lr": 0.5, "schedule": "constant"}}).train
    assert rate_after(0.9, constant) == 0.5


EXTREMES = [
    "train.lr=10", "train.lr=1e-300", "train.batch_size=1", "train.batch_size=1000000000",
    "train.clip=0", "train.clip=1e-300", "train.aux_weight=1000000", "train.l2=1000000",
    "train.accumulate=1000000000", "train.patience=1", "train.norm_samples=2",
    "train.checkpoint_steps=1000000000", "train.seed=4294967295", "model.width_ratio=0",
    "model.init=uniform model.init_range=1000", "model.gene_embedding=100",
    "baselines.ridge_alphas=1e-300", "baselines.ridge_alphas=1e9", "baselines.mlp_hidden=1",
    "baselines.mlp_epochs=1", "baselines.seed=4294967295", "model.width_min=1",
]  # fmt: skip


@pytest.mark.parametrize("extreme", EXTREMES)
def test_the_ends_of_the_ranges_train_or_are_refused(
    tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], extreme: str
) -> None:
    given, out = [*SMALL, "train.epochs=1", *extreme.split()], tmp_path / "run"
    try:
        cli.main(["train", "--data", str(tiny_build), "--out", str(out), "--set", *given])
    except SystemExit:
        assert "error: " in capsys.readouterr().err  # one line, no traceback
    else:
        assert (out / "report.html").is_file()
