"""`train.compile`: torch's layers are compiled, and what is compiled already is left as it is."""

from pathlib import Path
from typing import Any

import pytest
import torch

from data_specs.parameters import Parameters, override, resolve
from dcell_model import train
from dcell_model.checkpoint import load
from dcell_model.train import compilation

# What torch and PyG say of parts of themselves while torch looks into them.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


def settings(model: str, mode: str) -> Parameters:
    """As `--set train.compile=MODE` gives them."""
    train = {"model": model, "epochs": 2, "batch_size": 64, "device": "cpu"}
    given = {"train": train, "dango": {"width": 8, "heads": 2, "pretrain_steps": 2}}
    return resolve(override(given, [f"train.compile={mode}"]))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modes that were asked for; torch traces the model, and its own operators then run it."""
    import lightning_fabric  # noqa: F401 - it puts a function of its own in torch.compile's place

    modes = []
    whole = torch.compile

    def trace(model: Any, **options: str) -> Any:
        if "mode" in options:  # Fabric compiles anew what it wraps, as it was compiled
            modes.append(options["mode"])
        return whole(model, backend="eager")

    monkeypatch.setattr(compilation.torch, "compile", trace)
    return modes


@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
def test_dango_is_compiled_and_trains_the_same(
    simulated_build: Path, tmp_path: Path, asked: list[str], mode: str
) -> None:
    losses = []
    for name in ("none", mode):
        record = train.run(simulated_build, tmp_path / name, settings("dango", name))
        losses.append([row["train_loss"] for row in record["history"]])
    assert asked == [mode]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    plain, compiled = (load(tmp_path / name / "checkpoint.pt")["model"] for name in ("none", mode))
    assert plain.keys() == compiled.keys()


def test_no_effect_on_dcell_but_a_note(
    tiny_build: Path, tmp_path: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    train.run(tiny_build, tmp_path / "run", settings("dcell", "default"))
    assert asked == []
    note = "note: train.compile=default has no effect on DCell, whose engines are compiled already"
    assert note in capsys.readouterr().err
    train.run(tiny_build, tmp_path / "other", settings("dcell", "none"))
    assert "compile" not in capsys.readouterr().err
