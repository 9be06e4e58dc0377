"""Plots of `dcell explain`: the subsystems that matter most, and RLIPP down the hierarchy."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data_specs.plots import BLUE, GREY, INK, ORANGE, saved_plot
from data_specs.terminal import printable
from dcell_model.explain.terminal import SIGNIFICANT, strongest

SHOWN, LONGEST = 20, 44  # bars, and characters of a name


def top_subsystems(table: pa.Table, path: Path, *, phenotype: str, samples: int) -> None:
    """The terms with the largest ablation as horizontal bars, PNG, 1200 wide.

    Args:
        table: of `explain.importance`.
        path: the file to write.
        phenotype: its name.
        samples: how many are held out.
    """
    from matplotlib.patches import Patch

    rows = strongest(table, SHOWN)
    with saved_plot(path, 12, 2.4 + 0.36 * max(1, len(rows))) as figure:
        axes = figure.subplots()
        places = np.arange(len(rows))
        significant = [row["ablation_fdr"] <= SIGNIFICANT for row in rows]
        colors = [BLUE if chosen else GREY for chosen in significant]
        axes.barh(places, [row["ablation"] for row in rows], color=colors, height=0.7)
        axes.set_yticks(places, [_label(row) for row in rows])
        axes.invert_yaxis()
        axes.axvline(0, color=INK, linewidth=1)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0, labelsize=11)
        axes.margins(y=0.02)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel(
            f"increase of the mean squared error of {printable(phenotype)} where "
            "the term is touched"
        )
        axes.set_title(f"Subsystems held at the wild type, {samples:,} held-out genotypes")
        if rows:
            handles = [Patch(color=BLUE, label=f"FDR ≤ {SIGNIFICANT:g}"),
                       Patch(color=GREY, label=f"FDR > {SIGNIFICANT:g}")]  # fmt: skip
            shown = [
                h
                for h, on in zip(handles, (any(significant), not all(significant)), strict=True)
                if on
            ]
            axes.legend(handles=shown, loc="lower right", frameon=False)
        else:
            axes.set_yticks([])
            axes.text(0.5, 0.5, "no term has scores", transform=axes.transAxes, ha="center")


def _label(row: dict[str, Any]) -> str:
    name = printable(str(row["name"]))
    return name if len(name) <= LONGEST else name[: LONGEST - 1].rstrip() + "…"


def rlipp_by_stratum(table: pa.Table, path: Path) -> None:
    """Gain of every term over its inputs by stratum, with medians, PNG of 1200 × 800."""
    rows = [row for row in table.to_pylist() if row["rlipp_gain"] is not None]
    random = np.random.default_rng(0)
    stratum = np.array([row["stratum"] for row in rows])
    gain = np.array([row["rlipp_gain"] for row in rows])
    passed = np.array([row["rlipp_fdr"] <= SIGNIFICANT for row in rows], dtype=bool)
    with saved_plot(path) as figure:
        axes = figure.subplots()
        axes.axhline(0, color=INK, linewidth=1)
        x = stratum + random.uniform(-0.28, 0.28, len(rows))
        size = float(np.clip(6000 / max(1, len(rows)), 5, 40))
        for chosen, color, label in (
            (~passed, GREY, f"FDR > {SIGNIFICANT:g}"),
            (passed, BLUE, f"FDR ≤ {SIGNIFICANT:g}"),
        ):
            if chosen.any():
                axes.scatter(x[chosen], gain[chosen], s=size, color=color, alpha=0.7, linewidths=0,
                             label=f"{label} ({int(chosen.sum()):,} terms)")  # fmt: skip
        for level in np.unique(stratum):
            middle = float(np.median(gain[stratum == level]))
            axes.plot([level - 0.38, level + 0.38], [middle] * 2, color=ORANGE, linewidth=3)
        if rows:
            axes.plot([], [], color=ORANGE, linewidth=3, label="median")
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, frameon=False)
        else:
            axes.text(0.5, 0.5, "no term has scores", transform=axes.transAxes, ha="center")
        axes.set_xticks(np.unique(stratum))
        axes.set_xlabel("stratum (the root is 0)")
        axes.set_ylabel("gain in Spearman over the inputs")
        axes.set_title("Predictions of a term's neurons beyond its inputs (RLIPP, as a difference)")
