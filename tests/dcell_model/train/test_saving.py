"""When the checkpoints of a run are written."""

from pathlib import Path
from typing import Any

import pytest
import torch

from dcell_model import checkpoint
from dcell_model.train import saving
from dcell_model.train.saving import Saving
from dcell_model.train.state import TrainingState


class Clock:
    """A clock that training and writing move on."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """In place of the machine's; a checkpoint takes a second to write."""
    clock = Clock()

    def save(state: checkpoint.Checkpoint, path: Path) -> str:
        clock.now += 1
        torch.save(state, path)
        return f"sha of {state['epoch']}"

    monkeypatch.setattr(saving, "time", clock)
    monkeypatch.setattr(checkpoint, "save", save)
    return clock


def epochs(folder: Path) -> tuple[int, int]:
    """Of `checkpoint.pt` and `last.pt`."""
    states = [torch.load(folder / name, weights_only=True) for name in ("checkpoint.pt", "last.pt")]
    return states[0]["epoch"], states[1]["epoch"]


def test_a_twentieth_of_the_time_is_for_writing(tmp_path: Path, clock: Clock) -> None:
    state, weights, now = TrainingState(), {"w": torch.zeros(2)}, [0]

    def last() -> dict[str, Any]:
        return {"epoch": now[0], "model": weights}

    kept = Saving(tmp_path, state, last)
    written = []
    for epoch in range(1, 101):
        now[0] = epoch
        weights["w"] += 1
        clock.now += 1  # an epoch takes as long as a file
        before = clock.now
        kept.finish_epoch(last() if epoch in (1, 30, 50) else None)
        if clock.now > before:
            written.append(epoch)
            assert epochs(tmp_path)[1] == epoch
    assert written == [1, 39, 77]  # two files, then 38 epochs
    assert epochs(tmp_path) == (50, 77)
    best = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert best["model"]["w"].tolist() == [50, 50]  # of the epoch, not of the time of writing
    assert state.best["sha256"] == "sha of 50"
    kept.finish()
    assert epochs(tmp_path) == (50, 100)
    before = clock.now
    kept.finish()
    assert clock.now == before


def test_an_error_between_epochs_finds_the_last_one_saved(tmp_path: Path, clock: Clock) -> None:
    now = [1]

    def last() -> dict[str, Any]:
        return {"epoch": now[0], "model": {}}

    kept = Saving(tmp_path, TrainingState(), last)
    kept.finish_epoch(last())
    now[0] = 2
    kept.finish_epoch(last())
    assert epochs(tmp_path) == (1, 1)
    with pytest.raises(KeyboardInterrupt), kept.before_an_end():
        raise KeyboardInterrupt
    assert epochs(tmp_path) == (2, 2)


def test_every_epoch_where_writing_takes_no_time(tmp_path: Path, clock: Clock) -> None:
    kept = Saving(tmp_path, TrainingState(), lambda: {"epoch": int(clock.now), "model": {}})
    for _ in range(3):
        clock.now += 20
        kept.finish_epoch(None)
        assert torch.load(tmp_path / "last.pt", weights_only=True)["epoch"] == int(clock.now) - 1
