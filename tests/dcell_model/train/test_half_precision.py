"""fp16 in the loop: gradients are scaled, clipped as they are, and a run resumes exactly."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from data_specs.errors import ArtefactError
from data_specs.parameters import Parameters, resolve
from dcell_model import train
from dcell_model.checkpoint import load, save
from dcell_model.train import loop
from tests.half_precision import half_precision_fabric


def settings(**changes: Any) -> Parameters:
    given = {"precision": "fp16", "epochs": 4, "batch_size": 8, "device": "cpu", **changes}
    return resolve({"train": given, "model": {"width_min": 3}})


@pytest.fixture(autouse=True)
def _on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "fabric_of", half_precision_fabric)


def test_it_learns_about_as_in_single_precision(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = train.run(tiny_build, tmp_path / "half", settings(epochs=8))
    assert record["precision"] == "fp16"
    with monkeypatch.context() as here:
        here.setattr(loop, "fabric_of", train_in_single_precision())
        single = train.run(tiny_build, tmp_path / "single", settings(epochs=8, precision="fp32"))
    losses = [[row["train_loss"] for row in of["history"]] for of in (record, single)]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    state = load(tmp_path / "half" / "last.pt")
    assert {value.dtype for value in state["model"].values()} == {torch.float32}
    assert state["scaler"]["scale"] == 2.0**16
    assert "scaler" not in load(tmp_path / "single" / "last.pt")


def train_in_single_precision() -> Any:
    from dcell_model.machine import fabric_of

    return fabric_of


def test_gradients_are_clipped_unscaled(tiny_build: Path, tmp_path: Path) -> None:
    """Scaled by 65,536 they all would be cut down to the same tiny size."""
    runs = [
        train.run(tiny_build, tmp_path / str(clip), settings(clip=clip, epochs=3))["history"]
        for clip in (None, 1000.0)
    ]
    assert [row["train_loss"] for row in runs[0]] == [row["train_loss"] for row in runs[1]]


def test_an_overflow_skips_a_step_and_halves_the_scale(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = partial(half_precision_fabric, init_scale=2.0**120)
    monkeypatch.setattr(loop, "fabric_of", huge)
    record = train.run(tiny_build, tmp_path / "run", settings(epochs=30))
    assert load(tmp_path / "run" / "last.pt")["scaler"]["scale"] < 2.0**120
    losses = [row["train_loss"] for row in record["history"]]
    assert losses[-1] < losses[0]


def test_dango_learns_in_half_precision(simulated_build: Path, tmp_path: Path) -> None:
    given = {"model": "dango", "precision": "fp16", "epochs": 6, "batch_size": 32, "device": "cpu"}
    parameters = resolve({"train": given, "dango": {"width": 16, "pretrain_steps": 10}})
    losses = [
        row["train_loss"] for row in train.run(simulated_build, tmp_path, parameters)["history"]
    ]
    assert losses[-1] < 0.8 * losses[0]


class _StopError(Exception):
    pass


def test_a_stopped_run_goes_on_with_its_scale(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that never stopped, to the bit; with another scale other steps would be skipped."""
    huge = partial(half_precision_fabric, init_scale=2.0**120)
    monkeypatch.setattr(loop, "fabric_of", huge)

    def stop(row: dict[str, Any]) -> None:
        if row["epoch"] == 2:
            raise _StopError

    whole, parted = tmp_path / "whole", tmp_path / "parted"
    train.run(tiny_build, whole, settings())
    with pytest.raises(_StopError):
        loop.run(tiny_build, parted, settings(), after_epoch=stop)
    loop.run(tiny_build, parted, settings(), resume=True)
    found, expected = load(parted / "last.pt"), load(whole / "last.pt")
    assert found["scaler"] == expected["scaler"]
    for name, value in expected["model"].items():
        assert torch.equal(found["model"][name], value), name


@pytest.mark.parametrize(
    ("scaler", "said"),
    [
        ([], "'scaler' has not the entries"),
        ({"scale": 1.0}, "'scaler' has not the entries"),
        ("scale", "is not made of numbers, with a scale above 0"),
    ],
)
def test_a_scaler_that_no_training_writes(
    tiny_build: Path, tmp_path: Path, scaler: Any, said: str
) -> None:
    out = tmp_path / "run"
    train.run(tiny_build, out, settings(epochs=1))
    state = load(out / "last.pt")
    state["scaler"] = state["scaler"] | {"scale": -1.0} if scaler == "scale" else scaler
    save(state, out / "last.pt")
    with pytest.raises(ArtefactError, match=said):
        loop.run(tiny_build, out, settings(epochs=2), resume=True)
