"""The record of `dcell compare` as tables that fit into 80 columns."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dcell_model.scores import MODEL_NAMES, SCORE_NAMES

if TYPE_CHECKING:
    from rich.table import Table

    from data_specs.console import Console


def print_record(record: Mapping[str, Any], console: "Console | None" = None) -> None:
    """Print a table for every split method: mean ± sd over the seeds, best first."""
    from data_specs.console import Console

    console = console or Console(width=80)
    summary = record["summary"]
    for method in dict.fromkeys(row["split"] for row in summary):
        console.print(split_table([row for row in summary if row["split"] == method]))


def split_table(rows: Sequence[Mapping[str, Any]]) -> "Table":
    """The models on one split method, the highest Pearson first.

    Args:
        rows: as `compare.summarise` yields them.
    """
    from rich import box
    from rich.table import Table

    first = rows[0]
    seeds = f"{first['seeds']} seed" + "s" * (first["seeds"] != 1)
    title = f"{first['split']} split, {seeds}, {first['test']:,} test genotypes each"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left",
                  title_style="bold", pad_edge=False, padding=(0, 1, 0, 0))  # fmt: skip
    table.add_column("model", no_wrap=True)
    columns = []
    ranked = sorted(rows, key=lambda row: -2 if row["pearson"] is None else row["pearson"])[::-1]
    power = _power([row["mse"] for row in rows])
    labels = {**SCORE_NAMES, "mse": f"MSE·1e{power}" if power else "MSE", "r2": "R²"}
    for key, label in labels.items():
        table.add_column(label, justify="right", no_wrap=True)
        scale = 10**power if key == "mse" else 1
        columns.append([_cell(row[key], row[f"{key}_sd"], scale) for row in ranked])
    for label, key in (("s", "seconds"), ("params", "parameters")):
        table.add_column(label, justify="right", no_wrap=True)
        columns.append([_short(row[key]) for row in ranked])
    for row, *cells in zip(ranked, *columns, strict=True):
        table.add_row(MODEL_NAMES.get(row["model"], row["model"]), *cells)
    return table


def _power(errors: Sequence[float | None]) -> int:
    """How many places to shift squared errors so that the least is between 1 and 10."""
    known = [error for error in errors if error]
    return max(0, -math.floor(math.log10(min(known)))) if known else 0


def _cell(mean: float | None, sd: float | None, scale: int) -> str:
    if mean is None:
        return "–"
    shown = f"{mean * scale:.3f}"
    return shown if sd is None else f"{shown}±{sd * scale:.3f}"


def _short(value: float) -> str:
    """A number in at most seven characters: 1.5, 401, 29,889, 360 k, 14.3 M."""
    if value >= 1e6:
        return f"{value / 1e6:,.1f} M"
    if value >= 1e5:
        return f"{value / 1e3:,.0f} k"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
