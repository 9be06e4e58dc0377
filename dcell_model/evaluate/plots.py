"""Plots of a run: how it learnt, what it predicts, how it compares with the baselines."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from data_specs.plots import BLUE, GREY, INK, ORANGE, saved_plot
from data_specs.terminal import printable
from dcell_model.models import title_of
from dcell_model.scores import PART_NAMES, SCORE_NAMES, in_words
from dcell_model.scores import scores as score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection

Values = npt.NDArray[Any]


def loss_curves(
    history: Sequence[Mapping[str, Any]], path: Path, *, best_epoch: int | None = None
) -> None:
    """Training loss, validation loss and validation Pearson by epoch, as PNG of 1200 × 800.

    Each has an axis of its own: the training loss adds up the errors of all heads, with its parts
    below it, the validation loss is the root's alone. Values that were not measured (None) are
    omitted, and so are parts that are 0.

    Args:
        history: one row an epoch: `epoch`, `train_loss`, `val_loss`, `val_pearson`, and the parts
            of `train_loss`.
        path: the file to write.
        best_epoch: the one to mark; by default that of the highest Pearson, else the least loss.
    """
    curves = {
        "train_loss": ("training loss\n(all heads)", GREY),
        "val_loss": ("validation loss\n(root, scaled MSE)", ORANGE),
        "val_pearson": ("validation\nPearson", BLUE),
    }
    known = {key: [row for row in history if row.get(key) is not None] for key in curves}
    shown = [key for key in curves if known[key]] or ["train_loss"]
    best = _best_epoch(history) if best_epoch is None else best_epoch
    with saved_plot(path) as figure:
        panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        for axes, key in zip(panels, shown, strict=True):
            label, color = curves[key]
            values = {row["epoch"]: row[key] for row in known[key]}
            axes.plot(
                list(values), list(values.values()), color=color, linewidth=2.2,
                marker="o", markersize=6 if len(values) < 60 else 0,
            )  # fmt: skip
            if key == "train_loss":
                _parts_of_loss(axes, history)
            axes.set_ylabel(label)
            axes.margins(y=0.12)
            if best is not None:
                axes.axvline(best, color=INK, linewidth=1, linestyle=(0, (4, 4)))
            if best in values and key != "train_loss":
                axes.plot([best], [values[best]], "o", color=color, markeredgecolor=INK, ms=10)
                axes.annotate(  # above the panel, where no curve can lie
                    f"{values[best]:.3f} in epoch {best}", (1, 1), xycoords="axes fraction",
                    xytext=(0, 4), textcoords="offset points", va="bottom", ha="right",
                    color=color, weight="bold",
                )  # fmt: skip
        figure.align_ylabels(list(panels))
        panels[-1].set_xlabel("epoch")
        panels[-1].set_xlim(0.5, max([2.5, *(row["epoch"] + 0.5 for row in history)]))
        panels[-1].xaxis.get_major_locator().set_params(integer=True)
        panels[0].set_title("How the model learnt" + (f"; best in epoch {best}" if best else ""))


_PARTS = {
    "train_root": ("root", ORANGE, "-"),
    "train_auxiliary": ("other heads", BLUE, "--"),
    "train_penalty": ("weights", INK, ":"),
}


def _parts_of_loss(axes: "Axes", history: Sequence[Mapping[str, Any]]) -> None:
    """Add the parts of the training loss, where it has more than one."""
    parts = {key: [row.get(key) for row in history] for key in _PARTS}
    shown = {key: values for key, values in parts.items() if any(values)}
    if len(shown) < 2:
        return
    epochs = [row["epoch"] for row in history]
    for key, values in shown.items():
        label, color, style = _PARTS[key]
        height = [np.nan if value is None else value for value in values]
        axes.plot(epochs, height, style, color=color, linewidth=1.4, label=label)
    axes.legend(  # above the panel, where no curve can lie
        loc="lower right",
        bbox_to_anchor=(1, 0.98),
        ncols=len(shown),
        frameon=False,
        fontsize="small",
    )


def _best_epoch(history: Sequence[Mapping[str, Any]]) -> int | None:
    for key, sign in (("val_pearson", 1.0), ("val_loss", -1.0)):
        rows = [row for row in history if row.get(key) is not None]
        if rows:
            return int(max(rows, key=lambda row: sign * row[key])["epoch"])
    return None


def prediction_against_measurement(
    predicted: Values,
    measured: Values,
    scores: Mapping[str, float | None],
    path: Path,
    *,
    name: str,
    model: str = "DCell",
    baselines: Mapping[str, Values] | None = None,
) -> None:
    """Density of predicted against measured values, one square panel a model, in rows of three.

    Both axes have one scale, so that the diagonal is a perfect prediction. They omit the
    outermost thousandth of the values on each side; above each panel are the model's scores, and
    how many samples that hides.

    Args:
        predicted: `[N]`, in the phenotype's units.
        measured: `[N]`, NaN where not measured.
        scores: `pearson`, `spearman`, `r2` and `mse` of the model.
        path: the file to write.
        name: of the phenotype.
        model: the title of its panel.
        baselines: predictions `[N]` of other models for the same samples, each for a panel.
    """
    from matplotlib.ticker import LogLocator

    name, known = printable(name), ~np.isnan(measured)
    others = {other: values[known] for other, values in (baselines or {}).items()}
    predicted, measured = predicted[known], measured[known]
    window = _window([measured, predicted, *others.values()])
    models = {model: (predicted, scores)}
    models |= {other: (values, score(values, measured)) for other, values in others.items()}
    columns = {4: 2}.get(len(models), min(len(models), 3))
    rows = -(-len(models) // columns)
    high = {1: 8.0, 2: 5.9}.get(columns, 4.6)
    densities: list[PolyCollection] = []
    with saved_plot(path, 9.6 if len(models) == 1 else 12.0, rows * high) as figure:
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
        panels = grid.flatten()[: len(models)]
        for axes, (title, (values, found)) in zip(panels, models.items(), strict=True):
            densities += _density(axes, values, measured, window)
            _write_scores(axes, title, found, int((~_inside(values, measured, window)).sum()))
            axes.set_xlabel(f"measured {name}")
        for axes in panels[::columns]:
            axes.set_ylabel(f"predicted {name}")
        for axes in grid.flatten()[len(models) :]:
            axes.remove()
        most = [float(np.max(np.asarray(density.get_array()))) for density in densities]
        for density in densities:  # one scale for all
            density.set_clim(1, max([2, *most]))
        if densities:
            scale = figure.colorbar(densities[0], ax=list(panels), shrink=0.75, aspect=30)
            scale.set_label(f"genotypes per hexagon, of {len(measured):,}")
            scale.ax.yaxis.set_major_formatter("{x:,.0f}")
            scale.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            scale.ax.minorticks_off()


def _window(values: Sequence[Values]) -> tuple[float, float]:
    """Limits that hold all but the outermost thousandth of each array on each side."""
    edges = [np.quantile(array, [0.001, 0.999]) for array in values if len(array)]
    if not edges:
        return 0.0, 1.0
    low, high = float(np.min(edges)), float(np.max(edges))
    margin = 0.04 * (high - low) or 1.0
    return low - margin, high + margin


def _inside(predicted: Values, measured: Values, window: tuple[float, float]) -> Values:
    low, high = window
    inside: Values = np.minimum(predicted, measured) >= low
    return inside & (np.maximum(predicted, measured) <= high)


def _density(
    axes: "Axes", predicted: Values, measured: Values, window: tuple[float, float]
) -> "list[PolyCollection]":
    """Draw the diagonal and the hexagons, which are returned, if there is a sample to draw."""
    axes.plot(window, window, color=INK, linewidth=1, linestyle=(0, (4, 4)), zorder=1)
    axes.set(xlim=window, ylim=window, aspect="equal")
    axes.locator_params(nbins=5)
    inside = _inside(predicted, measured, window)
    if not inside.any():
        return []
    cells = int(np.clip(1.4 * np.sqrt(len(measured)), 20, 60))
    hexagons = axes.hexbin(
        measured[inside], predicted[inside], gridsize=cells, extent=(*window, *window),
        mincnt=1, bins="log", cmap="viridis", linewidths=0.2, zorder=2,
    )  # fmt: skip
    return [hexagons]


def _write_scores(
    axes: "Axes", model: str, scores: Mapping[str, float | None], hidden: int
) -> None:
    """Above the panel, where no sample can lie."""
    pearson, spearman, r2, mse = (
        f"{name} {_format(scores.get(key), key)}" for key, name in SCORE_NAMES.items()
    )
    beyond = f"   ({hidden:,} beyond the axes)" if hidden else ""
    axes.set_title(model, pad=44, weight="bold")
    axes.annotate(
        f"{pearson}   {spearman}\n{r2}   {mse}{beyond}", (0, 1), xycoords="axes fraction",
        xytext=(0, 8), textcoords="offset points", va="bottom", fontsize=11, linespacing=1.4,
    )  # fmt: skip


def comparison(metrics: Mapping[str, Any], path: Path) -> None:
    """Pearson on the test part as bars, R² beside it: the model, then the baselines, best first.

    Args:
        metrics: as `metrics.json` holds them; without a test part, the validation part is shown.
        path: the PNG file to write, 1200 wide and as high as the bars need.
    """
    part = next((part for part in PART_NAMES if part in metrics), "test")
    scored = {name: row.get(part, {}) for name, row in metrics["baselines"].items()}
    found = {name: scores.get("pearson") for name, scores in scored.items()}
    ordered = sorted(found, key=lambda name: -2 if found[name] is None else found[name])[::-1]
    model = title_of(metrics.get("model", "dcell"))
    values = {model: metrics.get(part, {}).get("pearson")} | {name: found[name] for name in ordered}
    lengths = [value or 0.0 for value in values.values()]
    with saved_plot(path, 12, 2 + 0.75 * len(values)) as figure:
        axes = figure.subplots()
        colors = [BLUE, *[GREY] * len(ordered)]
        axes.barh(list(values), lengths, color=colors, height=0.66)
        errors = [metrics.get(part, {}), *(scored[name] for name in ordered)]
        for row, (value, scores) in enumerate(zip(values.values(), errors, strict=True)):
            shown = f"{_format(value, 'pearson')}   R² {_format(scores.get('r2'), 'r2')}"
            axes.annotate(  # right of the bar, or of 0, so that it never meets the names
                shown, (max(0.0, value or 0.0), row), xytext=(8, 0), textcoords="offset points",
                va="center", bbox={"color": "white", "pad": 1.5},  # over the ceiling's line
            )  # fmt: skip
        axes.axvline(0, color=INK, linewidth=1)
        axes.invert_yaxis()
        low, high = min(0.0, *lengths), max(0.1, *lengths)
        ceiling = (metrics.get("ceiling") or {}).get("ceiling_pearson")
        if ceiling is not None:
            high = max(high, ceiling)
            _draw_ceiling(axes, ceiling, len(values))
        room = 0.24 * (high - low)  # for the numbers
        axes.set_xlim(low - 0.02 * (high - low) * (low < 0), high + room)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0, labelsize="large")
        axes.set_xlabel("Pearson correlation of predicted and measured values; R² beside it")
        samples = metrics.get("samples", {}).get(part)
        counted = f", {samples:,} genotypes" if samples else ""
        axes.set_title(f"{model} and the baselines on the {PART_NAMES[part]} part{counted}")


def _draw_ceiling(axes: "Axes", ceiling: float, bars: int) -> None:
    """A dashed line at the score of a perfect model; its name stands below the last bar."""
    axes.axvline(ceiling, color=ORANGE, linewidth=1.5, linestyle=(0, (5, 4)), zorder=0.9)
    axes.set_ylim(bars + 0.1, -0.6)
    left = ceiling > axes.dataLim.x1 / 2
    axes.annotate(
        f"ceiling of the measurements {_format(ceiling, 'pearson')}", (ceiling, bars - 0.3),
        xytext=(-8 if left else 8, 0), textcoords="offset points", va="center", color=ORANGE,
        ha="right" if left else "left",
    )  # fmt: skip


def _format(value: float | None, key: str) -> str:
    return in_words(value, ".3g" if key == "mse" else "z.3f").replace("-", "−")
