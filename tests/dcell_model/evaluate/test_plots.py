"""Plots are images of the stated size that show something, the same bytes at every run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import image

from dcell_model.evaluate.plots import comparison, loss_curves, prediction_against_measurement
from dcell_model.scores import scores

pytestmark = pytest.mark.plots


def history(epochs: int, *, validated: bool = True) -> list[dict[str, Any]]:
    return [
        {
            "epoch": epoch,
            "train_loss": 50 / epoch,
            "train_root": 20 / epoch,
            "train_auxiliary": None if epoch == 2 else 29 / epoch,
            "train_penalty": 1 / epoch,
            "val_loss": 1 / epoch if validated else None,
            "val_pearson": 0.5 - 1 / (epoch + 1) if validated else None,
            "seconds": 1.0,
            "lr": 1e-3,
        }
        for epoch in range(1, epochs + 1)
    ]


def draw_prediction(path: Path, samples: int = 500, **options: Any) -> None:
    random = np.random.default_rng(0)
    measured = random.standard_t(3, samples)  # outliers
    predicted = 0.5 * measured + random.normal(0, 0.3, samples)
    found = scores(predicted, measured)
    prediction_against_measurement(predicted, measured, found, path, name="tau", **options)


def metrics(**pearson: float | None) -> dict[str, Any]:
    rows = {name: {"test": {"pearson": value}} for name, value in pearson.items()}
    return {**rows.pop("dcell"), "baselines": rows, "samples": {"test": 1043}}


PLOTS: dict[str, tuple[Callable[[Path], None], tuple[int, int]]] = {
    "losses": (lambda path: loss_curves(history(30), path), (1200, 800)),
    "losses of many epochs": (lambda path: loss_curves(history(300), path), (1200, 800)),
    "losses of one epoch": (lambda path: loss_curves(history(1), path), (1200, 800)),
    "losses without validation": (
        lambda path: loss_curves(history(9, validated=False), path),
        (1200, 800),
    ),
    "no epoch": (lambda path: loss_curves([], path), (1200, 800)),
    "prediction": (draw_prediction, (960, 800)),
    "prediction of one sample": (lambda path: draw_prediction(path, samples=1), (960, 800)),
    "prediction of none": (lambda path: draw_prediction(path, samples=0), (960, 800)),
    "prediction beside ridge": (
        lambda path: draw_prediction(path, baselines={"ridge": np.zeros(500)}),
        (1200, 590),
    ),
    "prediction beside three": (
        lambda path: draw_prediction(path, baselines=dict.fromkeys("abc", np.zeros(500))),
        (1200, 1180),
    ),
    "prediction beside four": (
        lambda path: draw_prediction(path, baselines=dict.fromkeys("abcd", np.zeros(500))),
        (1200, 920),
    ),
    "comparison": (
        lambda path: comparison(metrics(dcell=0.62, mean=None, ridge=0.35, mlp=0.6), path),
        (1200, 500),
    ),
    "comparison below zero": (
        lambda path: comparison(metrics(dcell=-0.02, mean=None, ridge=0.01), path),
        (1200, 425),
    ),
    "comparison below a ceiling": (
        lambda path: comparison(
            metrics(dcell=0.9, mean=None) | {"ceiling": {"ceiling_pearson": 0.94}}, path
        ),
        (1200, 350),
    ),
    "comparison without a ceiling": (
        lambda path: comparison(metrics(dcell=0.9, mean=None) | {"ceiling": None}, path),
        (1200, 350),
    ),
    "a ceiling of 0": (
        lambda path: comparison(metrics(dcell=None) | {"ceiling": {"ceiling_pearson": 0.0}}, path),
        (1200, 275),
    ),
    "nothing to compare": (lambda path: comparison(metrics(dcell=None), path), (1200, 275)),
}


@pytest.mark.parametrize("name", PLOTS)
def test_plot(name: str, tmp_path: Path) -> None:
    draw, (width, height) = PLOTS[name]
    path = tmp_path / "new folder" / "plot.png"
    draw(path)
    pixels = image.imread(path)
    assert pixels.shape[:2] == (height, width)
    ink = (pixels[..., :3] < 0.9).any(axis=2)
    assert ink.mean() > 0.003  # lines and letters
    edge = np.concatenate([ink[:2].ravel(), ink[-2:].ravel(), ink[:, :2].ravel()])
    assert not edge.any(), "cut off at the edge"
    assert [entry.name for entry in path.parent.iterdir()] == ["plot.png"]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_same_bytes_whatever_the_user_configures(tmp_path: Path, suffix: str) -> None:
    import matplotlib as mpl

    draw_prediction(tmp_path / f"first.{suffix}")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        draw_prediction(tmp_path / f"again.{suffix}")
    first, again = (tmp_path / f"{name}.{suffix}" for name in ("first", "again"))
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes().startswith({"png": b"\x89PNG", "svg": b"<?xml"}[suffix])


def test_best_epoch_is_marked(tmp_path: Path) -> None:
    loss_curves(history(30), tmp_path / "highest.png")
    loss_curves(history(30), tmp_path / "last.png", best_epoch=30)
    loss_curves(history(30), tmp_path / "other.png", best_epoch=7)
    highest, last, other = (
        (tmp_path / f"{name}.png").read_bytes() for name in ("highest", "last", "other")
    )
    assert highest == last != other


def test_failure_leaves_the_old_plot(tmp_path: Path) -> None:
    path = tmp_path / "plot.png"
    path.write_bytes(b"old")
    with pytest.raises(KeyError):
        loss_curves([{"epoch": 1, "val_loss": 1.0, "train_loss": 1.0}, {"train_loss": 2.0}], path)
    assert path.read_bytes() == b"old"
