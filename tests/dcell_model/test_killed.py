"""Training killed (SIGKILL) at random moments, again and again: resumed, it ends as if never."""

import itertools
import json
import random
from pathlib import Path

import torch
import yaml

from data_specs.parameters.given import load
from dcell_model import train
from dcell_model.checkpoint import format as checkpoint
from dcell_model.checkpoint.run_folder import MARKER, prepare_folder
from tests.conftest import LONG
from tests.processes import Program

KILLS = 20 if LONG else 3
STEPS = 9  # of an epoch: 35 samples


def start(data: Path, out: Path, params: Path, *more: str) -> Program:
    command = ["-m", "dcell_model.train", "--data", str(data), "--out", str(out)]
    return Program(*command, "--params", str(params), *more)


def finish(process: Program) -> None:
    _, error = process.communicate()
    assert process.returncode == 0, error


def kill(process: Program) -> None:
    process.kill()
    process.communicate()


def parameters(folder: Path, **changes: object) -> Path:
    given = {"batch_size": 4, "lr": 0.01, "patience": None, "select": "loss"} | changes
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump({"train": given, "model": {"width_min": 4}}))
    return path


def stamp(path: Path) -> int:
    return path.stat().st_ino if path.exists() else 0


def is_writing(run: Path) -> bool:
    places = [path for path in run.iterdir() if path.name.startswith((".last.pt.", ".checkpoint."))]
    return any((place / f"{place.name.split('.')[1]}.pt").exists() for place in places)


def assert_equal(a: object, b: object, where: str) -> None:
    if isinstance(a, torch.Tensor):
        assert isinstance(b, torch.Tensor)
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert isinstance(b, dict)
        assert a.keys() == b.keys(), where
        for name in a.keys() - {"seconds"}:
            assert_equal(a[name], b[name], f"{where}/{name}")
    elif isinstance(a, list):
        assert isinstance(b, list)
        for number, (one, other) in enumerate(zip(a, b, strict=True)):
            assert_equal(one, other, f"{where}/{number}")
    else:
        assert a == b, where


def test_killed_at_random_again_and_again(tiny_build: Path, tmp_path: Path) -> None:
    params = parameters(tmp_path, epochs=5 * KILLS, checkpoint_steps=1)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    finish(start(tiny_build, whole, params))
    chance = random.Random(KILLS)
    last, steps, in_writing = parts / "last.pt", [0], 0
    for life in range(KILLS):
        process = start(tiny_build, parts, params, *(["--resume"] if life else []))
        for _ in range(chance.randrange(1, 4 * STEPS)):
            before = stamp(last)
            process.reaches(lambda before=before: stamp(last) != before)  # type: ignore[misc]
        if life % 3 == 0:  # while a checkpoint is being written
            assert process.reaches(lambda: is_writing(parts))
        else:
            process.process.join(chance.random() / 50)  # anywhere in a step
        assert process.poll() is None, "it ended before it could be killed: train longer"
        kill(process)
        in_writing += any(parts.glob(".*.pt.*"))
        state = checkpoint.load(last)  # always whole
        steps.append(len(state["history"]) * STEPS + state["under_way"]["steps"])
    assert all(a < b for a, b in itertools.pairwise(steps)), steps
    assert in_writing
    finish(start(tiny_build, parts, params, "--resume"))
    for name in ("last.pt", "checkpoint.pt"):
        assert_equal(checkpoint.load(whole / name), checkpoint.load(parts / name), name)
    # A kill at the very moment at which a workplace is made leaves an empty folder for a minute.
    names = sorted(p.name for p in parts.iterdir() if not p.name.endswith(".begun"))
    assert names == sorted(p.name for p in whole.iterdir())
    records = [json.loads((run / "train.json").read_text()) for run in (whole, parts)]
    del records[0]["seconds_per_epoch"], records[1]["seconds_per_epoch"]
    assert_equal(*records, "train.json")
    for path in (whole / "live").rglob("*.tsv"):
        texts = [(run / path.relative_to(whole)).read_text() for run in (whole, parts)]
        columns = [[line.split("\t")[-2:] for line in text.splitlines()] for text in texts]
        assert columns[0] == columns[1], path


def test_killed_before_the_first_checkpoint(tiny_build: Path, tmp_path: Path) -> None:
    params = parameters(tmp_path, epochs=1, batch_size=2, checkpoint_steps=None)
    out = tmp_path / "run"
    process = start(tiny_build, out, params)
    assert process.reaches((out / "dcell-run.json").exists)
    kill(process)
    assert not (out / "last.pt").exists()
    process = start(tiny_build, out, params, "--resume")
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error == f"error: {out}: no last.pt to resume from; train without --resume first\n"
    train.run(tiny_build, out, load(params, []))
    assert (out / "checkpoint.pt").is_file()


def test_killed_while_the_folder_is_marked(tmp_path: Path) -> None:
    """What a killed process leaves beside the marker does not make the folder a foreign one."""
    (tmp_path / f".{MARKER}.elsewhere-1.abc").mkdir()
    prepare_folder(tmp_path, resume=False)
    assert (tmp_path / MARKER).is_file()
