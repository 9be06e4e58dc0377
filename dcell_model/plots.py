"""Pictures of a run: how it learnt, what it predicts, how it compares."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAIN, VAL, BEST, FAINT = "#0072B2", "#D55E00", "#009E73", "#999999"  # Okabe and Ito's palette


def loss_curves(history: list[dict[str, Any]], path: Path) -> None:
    """Training loss, validation loss and validation Pearson by epoch, as PNG.

    The training loss holds the auxiliary heads' errors, so it has an axis of its own.
    """
    figure = _figure(12, 4.5)
    left, middle, right = figure.subplots(1, 3)
    epochs = [row["epoch"] for row in history]
    for axes, key, color, title in (
        (left, "train_loss", TRAIN, "training loss, all heads"),
        (middle, "val_loss", VAL, "validation loss, root"),
        (right, "val_pearson", VAL, "validation Pearson, root"),
    ):
        known = [
            (e, row[key]) for e, row in zip(epochs, history, strict=True) if row[key] is not None
        ]
        axes.set_title(title, loc="left")
        axes.set_xlabel("epoch")
        if known:
            x, y = zip(*known, strict=True)
            axes.plot(x, y, "o-", color=color, markersize=3, linewidth=1.5)
            if key != "train_loss":
                best = int(np.argmax(y) if key == "val_pearson" else np.argmin(y))
                axes.plot(x[best], y[best], "o", color=BEST, markersize=8, fillstyle="none")
                axes.annotate(f"{y[best]:.3f}", (x[best], y[best]), textcoords="offset points",
                              xytext=(0, -14), ha="center", color=BEST)  # fmt: skip
        _tidy(axes)
    _save(figure, path)


def prediction_against_measurement(
    predicted: npt.NDArray[Any],
    measured: npt.NDArray[Any],
    scores: dict[str, Any],
    path: Path,
    *,
    name: str,
) -> None:
    """Predicted against measured values of the test part as a density, as PNG."""
    figure = _figure(6.5, 6)
    axes = figure.subplots()
    low, high = (float(bound) for bound in np.quantile(measured, [0.001, 0.999]))
    low, high = min(low, float(predicted.min())), max(high, float(predicted.max()))
    margin = 0.05 * (high - low or 1.0)
    window = (low - margin, high + margin)
    density = axes.hexbin(measured, predicted, gridsize=60, extent=(*window, *window), mincnt=1,
                          bins="log", cmap="viridis", linewidths=0.1)  # fmt: skip
    axes.plot(window, window, color=FAINT, linewidth=1)
    axes.set_xlim(*window)
    axes.set_ylim(*window)
    axes.set_aspect("equal")
    axes.set_xlabel(f"measured {name}")
    axes.set_ylabel(f"predicted {name}")
    lines = [f"{key} {_number(scores[key], key)}" for key in ("pearson", "spearman", "mse")]
    lines = [line[0].upper() + line[1:] for line in lines]
    axes.text(0.03, 0.97, "\n".join([*lines, f"n = {len(measured):,}"]).replace("Mse", "MSE"),
              transform=axes.transAxes, va="top")  # fmt: skip
    figure.colorbar(density, ax=axes, label="genotypes", shrink=0.8)
    _tidy(axes)
    _save(figure, path)


def comparison(metrics: dict[str, Any], path: Path) -> None:
    """Test Pearson of DCell and of every baseline as bars, as PNG."""
    rows = {"DCell": metrics, **metrics["baselines"]}
    values = {name: row.get("test", {}).get("pearson") for name, row in rows.items()}
    figure = _figure(8, 0.7 * len(values) + 1.3)
    axes = figure.subplots()
    names = list(values)[::-1]
    lengths = [values[name] or 0.0 for name in names]
    bars = axes.barh(names, lengths, color=[TRAIN if n == "DCell" else FAINT for n in names])
    axes.bar_label(bars, [_number(values[name], "pearson") for name in names], padding=4)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlim(min(0.0, *lengths) * 1.1, max(0.1, *lengths) * 1.15)
    axes.set_xlabel("Pearson correlation on the test part")
    _tidy(axes)
    axes.grid(axis="y", visible=False)
    _save(figure, path)


def _number(value: float | None, key: str) -> str:
    if value is None:
        return "not defined"
    return f"{value:.3g}" if key == "mse" else f"{value:.3f}"


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def _tidy(axes: "Axes") -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#EEEEEE")
    axes.set_axisbelow(True)


def _save(figure: "Figure", path: Path) -> None:
    figure.savefig(path, metadata={"Software": None})  # the same bytes at every run
