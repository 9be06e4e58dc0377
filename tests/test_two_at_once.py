"""Two commands that write into one folder: the second says at once who has it."""

import re
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from data_specs.locks import lock_name
from dcell_model import cli as model_cli
from dcell_model.checkpoint import format as checkpoint
from pipeline import cli as pipeline_cli
from tests.processes import Program
from tests.test_faults import BUILD, QUICK

Main = Callable[[Sequence[str]], None]
MODEL, PIPELINE = "dcell_model.cli", "pipeline.cli"


def start(module: str, command: list[str], folder: Path, cwd: Path) -> Program:
    """A command that is stopped as soon as it has its folder."""
    process = Program("-m", module, *command, cwd=cwd)
    lock = folder.parent / lock_name(folder)
    written = lambda: lock.is_file() and lock.stat().st_size  # noqa: E731
    assert process.reaches(written), process.communicate()
    process.send_signal(signal.SIGSTOP)
    return process


@pytest.mark.parametrize(
    "name", ["build", "split", "train", "screen", "tune", "compare", "explain"]
)
def test_the_second_is_told(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], name: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    out = {"split": "data/splits/random-7"}.get(name, "out")
    module, main, command = {
        "build": (PIPELINE, pipeline_cli.main, [*BUILD, "--out", out]),
        "split": (PIPELINE, pipeline_cli.main,
                  ["split", "data", "--methods", "random", "--seeds", "7"]),
        "train": (MODEL, model_cli.main,
                  ["train", "--data", "data", "--out", out, "--set", *QUICK]),
        "screen": (MODEL, model_cli.main,
                   ["screen", "--checkpoint", str(tiny_checkpoint), "--order", "2", "--out", out]),
        "tune": (MODEL, model_cli.main,
                 ["tune", "--data", "data", "--out", out, "--trials", "2", "--repeats", "0",
                  "--set", "train.epochs=2", "train.batch_size=16"]),
        "compare": (MODEL, model_cli.main,
                    ["compare", "--data", "data", "--out", out, "--splits", "random", "--seeds",
                     "0", "--models", "ridge"]),
        "explain": (MODEL, model_cli.main,
                    ["explain", "--checkpoint", "run/checkpoint.pt", "--data", "data", "--out", out,
                     "--permutations", "9"]),
    }[name]  # fmt: skip
    if name != "build":
        pipeline_cli.main([*BUILD, "--out", "data"])
    if name == "compare":
        pipeline_cli.main(["split", "data", "--methods", "random", "--seeds", "0"])
    if name == "explain":
        model_cli.main(["train", "--data", "data", "--out", "run", "--set", *QUICK])
    capsys.readouterr()
    first = start(module, command, tmp_path / out, tmp_path)
    try:
        with pytest.raises(SystemExit) as end:
            main(command if name == "compare" else [*command, "--overwrite"])
        said = capsys.readouterr().err
        assert end.value.code == 1
        assert re.fullmatch(
            rf"error: {out}: is being written by another process: process {first.pid} on \S+, "
            rf"since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d \(cli\.py {command[0]} .*\)\. "
            r"Wait until it ends, or name another folder\.\n",
            said,
        )
        if name == "split":  # nor is the build replaced meanwhile
            with pytest.raises(SystemExit):
                pipeline_cli.main([*BUILD, "--out", "data", "--overwrite"])
            assert f"data: {tmp_path / out} in it is being written" in capsys.readouterr().err
        first.send_signal(signal.SIGCONT)
        shown, error = first.communicate(timeout=120)
    finally:
        first.kill()
    assert first.returncode == 0, (shown, error)
    assert not list(tmp_path.rglob(".*.dcell-lock"))


def test_killed_it_is_free_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pipeline_cli.main([*BUILD, "--out", "data"])
    command = ["train", "--data", "data", "--out", "run", "--set", *QUICK]
    first = start(MODEL, command, tmp_path / "run", tmp_path)
    first.kill()
    first.communicate()
    model_cli.main(command)
    checkpoint.load(tmp_path / "run" / "checkpoint.pt")
    again = start(PIPELINE, [*BUILD, "--out", "data", "--overwrite"], tmp_path / "data", tmp_path)
    again.kill()
    again.communicate()
    pipeline_cli.main([*BUILD, "--out", "data", "--overwrite"])
    capsys.readouterr()
    pipeline_cli.main(["verify", "data"])
    assert "FAIL" not in capsys.readouterr().out
    left = [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert left == []
