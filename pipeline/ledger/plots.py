"""Plots of the ledger: kept and dropped records, and the shape of the hierarchy."""

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_specs.ledger_words import words
from data_specs.plots import BLUE, INK, ORANGE, saved_plot

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

KEPT, DROPPED, FAINT = BLUE, ORANGE, "#B8BEC4"


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a waterfall: from `left` to `right`, with the text beside it."""

    name: str
    left: int
    right: int
    label: str
    drop: bool = False


def ledger_waterfall(ledger: Mapping[str, Any], path: Path) -> None:
    """Annotation lines from read to kept, and terms through the pruning steps.

    Args:
        ledger: `lines`, `dropped`, `kept` and `steps` are used.
        path: the PNG file to write, 1200 wide and as high as the rows need.
    """
    lines, terms = line_bars(ledger), term_bars(ledger)
    with saved_plot(path, 12, 3 + 0.46 * (len(lines) + len(terms))) as figure:
        panels = figure.subplots(2, 1, height_ratios=[len(lines), len(terms)])
        _draw(
            panels[0], lines, "lines", "Annotation lines, dropped for the first reason that holds"
        )
        _draw(panels[1], terms, "terms", "Terms, pruned step by step (in brackets: edges)")


def line_bars(ledger: Mapping[str, Any]) -> list[Bar]:
    """The rows for annotation lines: read, one a reason, kept."""
    left = ledger["lines"]
    bars = [Bar("read", 0, left, f"{left:,}")]
    for reason, count in ledger["dropped"].items():
        bars.append(Bar(words(reason), left - count, left, f"−{count:,}", drop=True))
        left -= count
    return [*bars, Bar("kept", 0, left, f"{left:,}")]


def term_bars(ledger: Mapping[str, Any]) -> list[Bar]:
    """The rows for terms: those that the first step left, the change of each further one, kept."""
    steps = ledger["steps"] or [{"step": "read", "terms": sum(ledger["strata"]), "edges": None}]
    first, last = steps[0], steps[-1]
    bars = [Bar(words(first["step"]), 0, first["terms"], _sizes(first))]
    for before, step in itertools.pairwise(steps):
        fewer = f"{step['terms'] - before['terms']:+,} ({step['edges'] - before['edges']:+,})"
        label = fewer.replace("-", "−").replace("+0", "0")
        bars.append(Bar(words(step["step"]), step["terms"], before["terms"], label, drop=True))
    return [*bars, Bar("kept", 0, last["terms"], _sizes(last))]


def _sizes(step: Mapping[str, Any]) -> str:
    return f"{step['terms']:,}" + (f" ({step['edges']:,})" if step["edges"] is not None else "")


def _draw(axes: "Axes", bars: list[Bar], unit: str, title: str) -> None:
    longest = max(bar.right for bar in bars) or 1
    least = 0.003 * longest  # a drop of 51 lines in 111,356 stays visible
    for row, bar in enumerate(bars):
        lost = bar.drop and bar.right > bar.left
        if lost or not bar.drop:
            width = max(bar.right - bar.left, least)
            color = DROPPED if lost else KEPT
            axes.barh(row, width, left=bar.right - width, height=0.66, color=color)
        else:
            axes.plot([bar.right] * 2, [row - 0.33, row + 0.33], color=INK, linewidth=0.8)
        axes.annotate(bar.label, (bar.right, row), xytext=(8, 0), textcoords="offset points",
                      va="center", color=DROPPED if lost else INK)  # fmt: skip
        if row:  # where the last row ended
            axes.plot([bar.right] * 2, [row - 0.67, row - 0.33], color=INK, linewidth=0.8)
    axes.set_yticks(range(len(bars)), [bar.name for bar in bars])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.22 * longest)
    axes.set_xlabel(unit)
    _count_in_whole_numbers(axes.xaxis)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_title(title)


def strata_sizes(ledger: Mapping[str, Any], path: Path) -> None:
    """Terms per stratum, and below them, faintly, terms per height, as PNG of 1200 × 800.

    Args:
        ledger: `strata` and `heights` are used.
        path: the file to write.
    """
    strata, heights = ledger["strata"], ledger["heights"]
    with saved_plot(path, 12, 8) as figure:
        panels = figure.subplots(2, 1, sharex=True, height_ratios=[5, 3])
        titles = (
            f"{sum(strata):,} terms in {len(strata)} strata (longest path from the root)",
            "The same terms by height (longest path down to a leaf)",
        )
        for axes, sizes, color, title, label in zip(
            panels, (strata, heights), (KEPT, FAINT), titles, ("stratum", "height"), strict=True
        ):
            bars = axes.bar(range(len(sizes)), sizes, color=color, width=0.8)
            axes.bar_label(bars, [f"{size:,}" for size in sizes], padding=3,
                           fontsize=13 if len(sizes) < 20 else 9)  # fmt: skip
            axes.set_title(title)
            axes.set_ylabel("terms")
            axes.set_xlabel(label)
            axes.margins(y=0.14)
            axes.grid(axis="x", visible=False)
            _count_in_whole_numbers(axes.yaxis)
            axes.tick_params(axis="x", length=0, labelbottom=True)
        last = max(len(strata), len(heights))
        panels[1].set_xlim(-0.6, max(last, 8) - 0.4)
        panels[1].set_xticks(range(0, last, 1 if last <= 24 else 5))


def level_steps(table: "pl.DataFrame", edges: "pl.DataFrame") -> dict[int, int]:
    """How many edges have which difference of levels, the child's less the parent's; sorted.

    Args:
        table: columns `term` and `level`; edges of terms without a level are omitted.
        edges: columns `child` and `parent`.
    """
    level = dict(table.select("term", "level").iter_rows())
    pairs = ((level[child], level[parent]) for child, parent in edges.iter_rows())
    steps = Counter(below - above for below, above in pairs if None not in (below, above))
    return dict(sorted(steps.items()))


def strata_and_levels(table: "pl.DataFrame", edges: "pl.DataFrame", path: Path) -> None:
    """Stratum against level of all terms, and the steps of edges from level to level.

    An edge that does not lead one level down or more joins terms that levels put into a wrong
    order, or into one step; strata never do.

    Args:
        table: columns `term`, `stratum` and `level`.
        edges: columns `child` and `parent`.
        path: the PNG file to write, 1200 × 800.
    """
    counts = table.drop_nulls("level").group_by("level", "stratum").len().sort("level", "stratum")
    steps = level_steps(table, edges)
    wrong = sum(count for step, count in steps.items() if step < 1)
    with saved_plot(path, 12, 8) as figure:
        left, right = figure.subplots(1, 2, width_ratios=[3, 2])
        largest = max(counts["len"].max() or 1, 1)
        sizes = [30 + 900 * count / largest for count in counts["len"]]
        left.scatter(counts["level"], counts["stratum"], sizes, color=KEPT, alpha=0.7, linewidth=0)
        left.set_title("Terms by level and stratum (area: number)")
        left.set_xlabel("level (shortest path from a root of the ontology)")
        left.set_ylabel("stratum")
        left.invert_yaxis()
        left.margins(0.1)
        colors = [DROPPED if step < 1 else KEPT for step in steps]
        bars = right.bar(list(steps), list(steps.values()), color=colors, width=0.8)
        right.bar_label(bars, [f"{count:,}" for count in steps.values()], padding=3, fontsize=11)
        right.set_title(f"{wrong:,} of {sum(steps.values()):,} edges lead no level down")
        right.set_xlabel("level of the child less that of the parent")
        right.set_ylabel("edges")
        right.margins(0.1)
        right.set_xlim(min([0, *steps]) - 0.8, max([1, *steps]) + 0.8)
        right.grid(axis="x", visible=False)
        for axis in (left.xaxis, left.yaxis, right.xaxis, right.yaxis):
            _count_in_whole_numbers(axis)


def _count_in_whole_numbers(axis: "Axis") -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
    axis.set_major_formatter("{x:,.0f}")
