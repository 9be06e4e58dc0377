"""Pictures of the ledger: what was kept and dropped, and the shape of the hierarchy."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KEPT, DROPPED, FAINT = "#0072B2", "#D55E00", "#BBBBBB"  # Okabe and Ito's colour-blind safe palette
STEP_NAMES = {
    "gene_universe": "assayed genes",
    "annotated": "annotated",
    "containment": "containment",
    "redundant": "not redundant",
    "transitive_reduction": "transitive\nreduction",
}


def ledger_waterfall(ledger: dict[str, Any], path: Path) -> None:
    """Annotation lines from read to kept, and terms through the pruning steps, as PNG."""
    figure = _figure(12, 5)
    lines, terms = figure.subplots(1, 2, width_ratios=[3, 2])
    _draw_lines(lines, ledger)
    _draw_terms(terms, ledger)
    _save(figure, path)


def strata_sizes(ledger: dict[str, Any], path: Path) -> None:
    """Terms per stratum (bars) and per height (line), as PNG."""
    figure = _figure(9, 5)
    axes = figure.subplots()
    strata, heights = ledger["strata"], ledger["heights"]
    bars = axes.bar(range(len(strata)), strata, color=KEPT, label="terms in the stratum")
    axes.bar_label(bars, [f"{n:,}" for n in strata], fontsize=8, padding=2)
    axes.plot(range(len(heights)), heights, "o-", color=DROPPED, markersize=4, linewidth=1,
              label="terms of that height (leaves: 0)")  # fmt: skip
    axes.set_xticks(range(max(len(strata), len(heights))))
    axes.set_xlabel("stratum: longest path from the root; or height: longest path to a leaf")
    axes.set_ylabel("terms")
    axes.legend(frameon=False)
    _tidy(axes)
    _save(figure, path)


def _draw_lines(axes: "Axes", ledger: dict[str, Any]) -> None:
    """Bars hang from what was left before; drops too small to see are told by their numbers."""
    left = ledger["lines"]
    names, bottoms, heights, colors = ["read"], [0], [left], [KEPT]
    for reason, count in ledger["dropped"].items():
        left -= count
        names.append(reason.replace("_", " "))
        bottoms.append(left)
        heights.append(count)
        colors.append(DROPPED)
    assert left == ledger["kept"], "the ledger does not add up"
    names.append("kept")
    bottoms.append(0)
    heights.append(left)
    colors.append(KEPT)
    bars = axes.bar(range(len(names)), heights, bottom=bottoms, color=colors)
    signs = ["", *["−"] * len(ledger["dropped"]), ""]
    labels = [f"{sign}{n:,}" for sign, n in zip(signs, heights, strict=True)]
    axes.bar_label(bars, labels, fontsize=9, padding=2)
    axes.set_xticks(range(len(names)), names, rotation=25, ha="right")
    axes.set_ylabel("annotation lines")
    axes.set_title("Annotation lines, by the first reason that drops them", loc="left")
    _tidy(axes)


def _draw_terms(axes: "Axes", ledger: dict[str, Any]) -> None:
    steps = ledger["steps"]
    names = [STEP_NAMES.get(step["step"], step["step"]) for step in steps]
    terms, edges = [step["terms"] for step in steps], [step["edges"] for step in steps]
    places = range(len(steps))
    left = axes.bar([p - 0.2 for p in places], terms, 0.4, color=KEPT, label="terms")
    right = axes.bar([p + 0.2 for p in places], edges, 0.4, color=FAINT, label="edges")
    for bars, values in ((left, terms), (right, edges)):
        axes.bar_label(bars, [f"{n:,}" for n in values], fontsize=8, padding=2)
    axes.set_xticks(places, names)
    axes.set_ylabel("terms, edges")
    axes.set_title("The hierarchy after each step", loc="left")
    axes.legend(frameon=False)
    _tidy(axes)


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def _tidy(axes: "Axes") -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#EEEEEE")
    axes.set_axisbelow(True)
    axes.margins(y=0.12)
    axes.yaxis.set_major_formatter("{x:,.0f}")


def _save(figure: "Figure", path: Path) -> None:
    figure.savefig(path, metadata={"Software": None})  # the same bytes at every run
