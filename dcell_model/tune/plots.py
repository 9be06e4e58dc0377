"""Plots of a search: how it went, and how the score depends on each parameter."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_specs.plots import BLUE, GREY, INK, ORANGE, saved_plot
from data_specs.terminal import printable
from dcell_model.tune.space import Range, Space, in_words
from dcell_model.tune.trial import FINISHED, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ACROSS = 3  # panels


def history(trials: Sequence[Trial], best: Trial, path: Path, *, score: str) -> None:
    """Score of every trial by its number, with the best so far, PNG of 1200 × 800."""
    finished, given_up = _parted(trials)
    with saved_plot(path) as figure:
        axes = figure.subplots()
        so_far = np.maximum.accumulate(
            [t.score if t.ended == FINISHED and t.score is not None else -math.inf for t in trials]
        )
        numbers = np.array([trial.number for trial in trials])
        known = np.isfinite(so_far)
        axes.step(numbers[known], so_far[known], where="post", color=ORANGE, linewidth=2.2,
                  label="best so far", zorder=2)  # fmt: skip
        _points(axes, [(t.number, t.score) for t in finished], BLUE, "finished")
        _points(axes, [(t.number, t.score) for t in given_up], GREY, "given up")
        _points(axes, [(best.number, best.score)], ORANGE, "", edge=INK)
        axes.set_xlim(0.3, max(2.7, len(trials) + 0.7))
        _limit(axes, finished, given_up)
        axes.locator_params(axis="x", integer=True)
        axes.set_xlabel("trial")
        axes.set_ylabel(f"validation {score} of the best epoch")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, frameon=False)
        axes.set_title(
            f"The search: {score} {best.score:.3f} in trial {best.number} of {len(trials)}"
        )


def slices(
    trials: Sequence[Trial],
    best: Trial,
    path: Path,
    *,
    space: Space,
    default: Mapping[str, Any],
    importances: Mapping[str, float],
    score: str,
) -> None:
    """Score by the value of each parameter, a panel each, the most important first; PNG.

    The grey ones are those that were given up before their end.

    Args:
        trials: all.
        best: the one to mark.
        path: the file to write, 1200 wide.
        space: the parameters that were searched.
        default: the values from before, at the dashed line.
        importances: shares of the parameters; may be empty.
        score: its name.
    """
    keys = sorted(space, key=lambda key: -importances.get(key, 0.0))
    across = min(_ACROSS, len(keys))
    down = math.ceil(len(keys) / across)
    finished, given_up = _parted(trials)
    with saved_plot(path, 12, 1.0 + 3.4 * down) as figure:
        panels = figure.subplots(down, across, squeeze=False, sharey=True)
        for axes, key in zip(panels.flat, keys, strict=False):
            position = _placed(axes, space[key])
            if key in default and default[key] in space[key]:
                axes.axvline(position(default[key], 0), color=INK, linewidth=1,
                             linestyle=(0, (4, 4)), zorder=1)  # fmt: skip
            for part_of_trials, color in ((given_up, GREY), (finished, BLUE)):
                pairs = [(position(t.values[key], t.number), t.score) for t in part_of_trials]
                _points(axes, pairs, color, "", size=42)
            there = position(best.values[key], best.number)
            _points(axes, [(there, best.score)], ORANGE, "", size=70, edge=INK)
            share = f", {importances[key]:.0%} of the variance" if key in importances else ""
            axes.set_title(f"{key}{share}", fontsize=12)
            axes.tick_params(labelsize=11)
        for axes in list(panels.flat)[len(keys) :]:
            axes.set_visible(False)
        _limit(panels[0, 0], finished, given_up)
        for row in panels:
            row[0].set_ylabel(f"validation {score}")
        grey = "; grey: given up" if given_up else ""
        figure.suptitle(
            f"Each parameter by itself, {len(trials)} trials (orange: the best; dashed: before"
            f"{grey})", x=0.01, ha="left", fontsize=14,
        )  # fmt: skip


def _parted(trials: Sequence[Trial]) -> tuple[list[Trial], list[Trial]]:
    """Those that came to their end, and those that were given up; without a score, neither."""
    scored = [trial for trial in trials if trial.score is not None]
    return (
        [trial for trial in scored if trial.ended == FINISHED],
        [trial for trial in scored if trial.ended != FINISHED],
    )


def _points(
    axes: "Axes", pairs: Sequence[tuple[Any, Any]], color: str, label: str, *, size: float = 64,
    edge: str = "none",
) -> None:  # fmt: skip
    if pairs:
        x, y = zip(*pairs, strict=True)
        axes.scatter(x, y, s=size, color=color, label=label, edgecolors=edge, zorder=3)


def _placed(axes: "Axes", values: Any) -> Any:
    """Make the axis of a parameter; where on it a value of a trial lies."""
    if isinstance(values, Range):
        if values.log:
            _logarithmic(axes, values.low, values.high)
        else:
            room = 0.04 * (values.high - values.low)
            axes.set_xlim(values.low - room, values.high + room)
        return lambda value, _: value
    choices = list(values.values)
    axes.set_xticks(range(len(choices)), [printable(in_words(value)) for value in choices])
    axes.set_xlim(-0.6, len(choices) - 0.4)
    axes.grid(axis="x", visible=False)

    def position(value: Any, number: int) -> float:
        aside = 0.0 if number == 0 else 0.24 * math.sin(2.4 * number)  # points apart, always alike
        return choices.index(value) + aside

    return position


def _logarithmic(axes: "Axes", low: float, high: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    decades = math.log10(high / low)
    axes.set_xlim(low / 10 ** (0.04 * decades), high * 10 ** (0.04 * decades))
    steps = (1,) if decades > 2.5 else (1, 3) if decades > 1 else (1, 2, 3, 5)
    axes.xaxis.set_major_locator(LogLocator(subs=steps))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: in_words(float(value))))


def _limit(axes: "Axes", finished: Sequence[Trial], given_up: Sequence[Trial]) -> None:
    """The range of all finished trials, and of stopped ones near them."""
    scores = [t.score for t in finished if t.score is not None]
    low, high = min(scores), max(scores)
    room = max(high - low, 1e-3)
    others = [t.score for t in given_up if t.score is not None and t.score > low - room]
    axes.set_ylim(min([low, *others]) - 0.08 * room, max([high, *others]) + 0.08 * room)
