"""The record of `dcell compare` as tables that fit into 80 columns."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from data_specs.measurement_error import best_scores, told_by
from dcell_model.baselines import BASELINES
from dcell_model.compare.models import label
from dcell_model.compare.paired import PAIRED
from dcell_model.scores import SCORE_NAMES

if TYPE_CHECKING:
    from rich.table import Table

    from data_specs.console import Console

Row = Mapping[str, Any]
_CERTAIN = 2  # standard errors that make one model ahead of another


def print_record(record: Mapping[str, Any], console: "Console | None" = None) -> None:
    """Print tables for every split method, and a sentence on each control: best models first."""
    from data_specs.console import Console

    console = console or Console(width=80)
    summary = record["summary"]
    for method in dict.fromkeys(row["split"] for row in summary):
        rows = best_first([row for row in summary if row["split"] == method])
        console.print(heading(rows), style="bold")
        console.print(score_table(rows))
        if note := note_of(rows):
            console.print(note, style="italic")
        if estimate := record.get("ceiling"):
            console.print(f"{best_scores(estimate)},\n{told_by(estimate)}", style="italic")
        for row in record.get("controls", ()):
            if row["split"] == method:
                console.print(verdict(row))
        console.print(cost_table(rows))


def best_first(rows: Sequence[Row]) -> list[Row]:
    """The models on one split method, the highest R² first, of equal ones the highest Pearson."""

    def scores(row: Row) -> list[float]:
        return [-math.inf if row[key] is None else row[key] for key in ("r2", "pearson")]

    return sorted(rows, key=scores)[::-1]


def heading(rows: Sequence[Row]) -> str:
    """The title: the samples of the scores; before it, the best baseline, if one is best.

    Args:
        rows: of one split method as `compare.summarise` yields them, `ranked`; so below.
    """
    first = rows[0]
    seeds = f"{first['seeds']} seed" + "s" * (first["seeds"] != 1)
    title = f"{first['split']} split, {seeds}, {first['test']:,} test genotypes each"
    if first["model"] not in BASELINES or first["r2"] is None or len(rows) == 1:
        return title
    return f"{label(first['model'])} is best: R² {_cell(first['r2'], first['r2_sd'])}\n{title}"


def score_table(rows: Sequence[Row]) -> "Table":
    """Scores: mean ± sd over the seeds; differences to the first model: mean ± standard error."""
    columns = {
        SCORE_NAMES[key]: [_cell(row[key], row[f"{key}_sd"]) for row in rows]
        for key in ("pearson", "spearman", "r2")
    }
    if any("to" in row for row in rows):
        for key in PAIRED:
            columns[f"Δ {SCORE_NAMES[key]}"] = [_difference(row, key) for row in rows]
    return _table([label(row["model"]) for row in rows], columns)


def note_of(rows: Sequence[Row]) -> str:
    """The meanings of ± and Δ; nothing where there is neither."""
    several = rows[0]["seeds"] > 1
    notes = ["±: standard deviation over the seeds"] * several
    to = next((row["to"] for row in rows if "to" in row), None)
    if to is not None:
        error = ", ± standard error" * several
        notes.append(f"Δ: less {label(to)} on the same split and seed{error}")
    return "\n".join(notes)


def cost_table(rows: Sequence[Row]) -> "Table":
    """Squared error, seconds and numbers fitted of the same models in the same order."""
    power = _power([row["mse"] for row in rows])
    error = f"MSE·1e{power}" if power else "MSE"
    columns = {
        error: [_cell(row["mse"], row["mse_sd"], 10**power) for row in rows],
        "s": [_short(row["seconds"]) for row in rows],
        "params": [_short(row["parameters"]) for row in rows],
    }
    return _table([label(row["model"]) for row in rows], columns)


def verdict(row: Row) -> str:
    """Whether a model is ahead of a control, in a sentence.

    Args:
        row: as `paired.against_controls` yields them.
    """
    model, control = label(row["model"]), label(row["control"])
    mean, error = row["r2_difference"], row["r2_difference_se"]
    if mean is None:
        return f"{model} and {control} cannot be told apart: an R² is not defined."
    shown = f"R² {_cell(mean, error, sign='+')}"
    if error is None:
        return f"{model} and {control}: {shown}; one seed does not tell them apart."
    if abs(mean) <= _CERTAIN * error:
        return f"{model} is within two standard errors of {control}: {shown}."
    where = "ahead of" if mean > 0 else "behind"
    return f"{model} is more than two standard errors {where} {control}: {shown}."


def _table(models: Sequence[str], columns: Mapping[str, Sequence[str]]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    table.add_column("model", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for name, *cells in zip(models, *columns.values(), strict=True):
        table.add_row(name, *cells)
    return table


def _power(errors: Sequence[float | None]) -> int:
    """How many places to shift squared errors so that the least is between 1 and 10."""
    known = [error for error in errors if error]
    return max(0, -math.floor(math.log10(min(known)))) if known else 0


def _difference(row: Row, key: str) -> str:
    if "to" not in row:
        return ""
    return _cell(row[f"{key}_difference"], row[f"{key}_difference_se"], sign="+")


def _cell(mean: float | None, spread: float | None, scale: int = 1, sign: str = "") -> str:
    """A mean with its spread in at most twelve characters, for any R² above -1000."""
    if mean is None:
        return "–"
    places = 3 if max(abs(mean), spread or 0) * scale < _MANY else 1
    shown = f"{mean * scale:{sign}.{places}f}"
    return shown if spread is None else f"{shown}±{spread * scale:.{places}f}"


_MANY = 9.9995  # with three decimals, 10.000 from here on


def _short(value: float) -> str:
    """A number in at most seven characters: 1.5, 401, 29,889, 360 k, 14.3 M."""
    if value >= 1e6:
        return f"{value / 1e6:,.1f} M"
    if value >= 1e5:
        return f"{value / 1e3:,.0f} k"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
