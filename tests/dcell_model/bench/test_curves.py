"""Loss curves of all engines, from builds to the plot."""

import json
from pathlib import Path

import pytest

from dcell_model.bench import curves

pytestmark = pytest.mark.plots


def test_curves(tiny_build: Path, tmp_path: Path) -> None:
    curves.run(tiny_build, tmp_path, ["train.epochs=3", "train.batch_size=16"], ["curves"])
    record = json.loads((tmp_path / "curves.json").read_text())
    assert record["command"] == "curves"
    losses = [
        [row["train_loss"] for row in record["engines"][name]["history"]] for name in curves.ENGINES
    ]
    assert len(losses) == len(curves.ENGINES) == 2
    for other in losses[1:]:
        assert all(abs(a / b - 1) < 1e-2 for a, b in zip(other, losses[0], strict=True))
    assert (tmp_path / "curves.png").stat().st_size > 10_000
