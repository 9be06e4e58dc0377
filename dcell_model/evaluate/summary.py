"""The summary at the end of a run: data kept, scores, and where the plots are."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_specs import ledger_words
from data_specs.measurement_error import best_scores, told_by
from data_specs.randomised import randomised
from data_specs.touching import ambiguous_names, few_touch
from dcell_model.evaluate.ranking_scores import FEW, FIRST
from dcell_model.evaluate.verdict import verdict
from dcell_model.models import title_of
from dcell_model.scores import PART_NAMES, SCORE_NAMES

if TYPE_CHECKING:
    from rich.table import Table

    from data_specs.console import Console


def print_summary(
    ledger: Mapping[str, Any],
    metrics: Mapping[str, Any],
    plots: Sequence[Path],
    console: "Console | None" = None,
    *,
    report: Path | None = None,
) -> None:
    """Print data, training, the scores beside the baselines, and where the plots are.

    It fits 80 columns, and says all in words and numbers: colour is not needed.

    Args:
        ledger: as `ledger.json` holds it.
        metrics: as `metrics.json` holds it.
        plots: paths to list.
        console: where to print; by default the standard output.
        report: the run's page, if there is one.
    """
    from data_specs.console import Console

    console = console or Console()
    places = [_places(plots, report)] if plots or report else []
    said_first = filter(None, [verdict(metrics)])
    hits = [_found(entry) for entry in metrics.get("hits", []) if entry["samples"]]
    scores = [_scores(metrics), *_covered(metrics)]
    blocks = [_facts(ledger, metrics), *said_first, *scores, *hits, *places]
    for block in blocks:
        console.print()
        console.print(block)


def _facts(ledger: Mapping[str, Any], metrics: Mapping[str, Any]) -> "Table":
    genotypes, store, split = ledger["genotypes"], ledger["store"], ledger["split"]
    table = _named_lines()

    def add(name: str, *lines: "str | Table") -> None:
        for line in lines:
            table.add_row(name, line)
            name = ""

    add("annotations", *ledger_words.of_annotations(ledger))
    add("ontology", *ledger_words.of_ontology(ledger.get("ontology", {})))
    if warning := randomised(ledger.get("control")):
        add("warning", warning)
    add("hierarchy", _steps(ledger["steps"]))
    strata, leaves = ledger["strata"], ledger["leaves"]
    add("strata", f"{len(strata)}, the widest of {max(strata):,} terms; {leaves:,} leaves")
    add("genotypes", *ledger_words.of_genotypes(genotypes))
    add("store", *ledger_words.of_store(store))
    add("names", *ledger_words.of_names(genotypes, store))
    for phenotype in metrics.get("phenotypes", [])[:1]:
        for estimate in genotypes.get("noise", {}).get(phenotype, []):
            add("noise", f"{told_by(estimate)},", best_scores(estimate))
    for warning in (few_touch(store), ambiguous_names(genotypes.get("names", {}))):
        if warning:
            add("warning", warning)
    samples = ledger_words.counted(metrics["samples"])
    add("samples", f"{samples} ({split['method']} split)")
    members = metrics.get("members", 1)
    of_all = f"{members} members, " if members > 1 else ""
    add("model", f"{of_all}{metrics['parameters']:,} parameters")
    add(
        "training",
        f"{metrics['epochs']} epochs, best {metrics['best_epoch']}; "
        f"{metrics['seconds_per_epoch']:.3g} s an epoch "
        f"({metrics['engine']} engine, {metrics['device']})",
    )
    return table


def _places(plots: Sequence[Path], report: Path | None) -> "Table":
    table = _named_lines()
    for folder in sorted({path.parent for path in plots}):
        names = ", ".join(path.name for path in plots if path.parent == folder)
        table.add_row("plots", f"{folder}/\n{names}")
    if report:
        table.add_row("report", str(report))
    return table


def _named_lines() -> "Table":
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _steps(steps: Iterable[Mapping[str, Any]]) -> "Table":
    """Size of the hierarchy after each step, one line a step."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column()
    for _ in range(4):
        table.add_column(justify="right")
    keys = ("terms", "edges", "annotations", "genes")
    table.add_row("after step", *keys, style="dim")
    for step in steps:
        table.add_row(ledger_words.words(step["step"]), *(f"{step[key]:,}" for key in keys))
    return table


def _scores(metrics: Mapping[str, Any]) -> "Table":
    """One line a model, the trained one first; the best of each score is bold."""
    from rich import box
    from rich.table import Table

    part = next((part for part in PART_NAMES if part in metrics), "test")
    rows = {title_of(metrics["model"]): metrics, **metrics["baselines"]}
    found = {name: row.get(part, {}) for name, row in rows.items()}
    table = Table(box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    phenotype = "".join(f", {name}" for name in metrics.get("phenotypes", [])[:1])
    count = metrics["samples"].get(part, 0)
    best = _perfect(metrics.get("ceiling"))
    table.title = f"{PART_NAMES[part]} part: {count:,} genotypes{phenotype}"
    table.add_column("model")
    columns = []
    for key, label in SCORE_NAMES.items():
        table.add_column(label, justify="right")
        scores = [found[name].get(key) for name in rows]
        columns.append(_column(scores, least=key == "mse", ceiling=best.get(key)))
    for name, *cells in zip(rows, *columns, strict=False):
        table.add_row(name, *cells)
    if best:
        table.add_section()
        table.add_row("ceiling", *(column[-1] for column in columns), style="dim")
    return table


def _perfect(estimate: Mapping[str, Any] | None) -> dict[str, float]:
    """Scores of a perfect model; nothing if measurements do not tell."""
    if not estimate:
        return {}
    pearson, r2, variance = (estimate[k] for k in ("ceiling_pearson", "ceiling_r2", "variance"))
    return {"pearson": pearson, "r2": r2, "mse": (1 - r2) * variance}


def _covered(metrics: Mapping[str, Any]) -> list[str]:
    """In a line, the width of the model's intervals and the share that they cover."""
    found = metrics.get("interval")
    if not found:
        return []
    return [
        f"intervals of {found['level']:.0%}, from the validation part: ±{found['half_width']:.4g}; "
        f"they cover {found['covered']:.1%} of the test part"
    ]


def _found(hits: Mapping[str, Any]) -> "Table":
    """How well each model finds hits, one line a model."""
    from rich import box
    from rich.table import Table

    title = f"hits ({hits['rule']}): {hits['hits']:,} of {hits['samples']:,} genotypes"
    if hits["few"]:
        title += f"\nfewer than {FEW}: these scores are uncertain"
    table = Table(box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    table.title = title
    table.add_column("model")
    labels = {"average_precision": "average precision"}
    labels |= {f"precision_at_{k}": f"at {k}" for k in FIRST}
    labels[f"precision_at_{FIRST[0]}"] = f"precision at {FIRST[0]}"
    columns = []
    for key, label in labels.items():
        table.add_column(label, justify="right")
        columns.append(_column([entry[key] for entry in hits["models"].values()], least=False))
    for name, *cells in zip(hits["models"], *columns, strict=False):
        table.add_row(title_of(name), *cells)
    return table


def _column(
    values: Sequence[float | None], *, least: bool, ceiling: float | None = None
) -> list[Any]:
    """Numbers with as many decimals as the smallest needs for four digits, at least three.

    The ceiling comes last; it is never the best.
    """
    from rich.text import Text

    known = [value for value in values if value is not None]
    smallest = min((abs(value) for value in known if value), default=1.0) if least else 1.0
    decimals = min(max(3, 3 - math.floor(math.log10(smallest))), 9)
    best, last = (min if least else max)(known, default=None), len(values)
    return [
        Text("–") if value is None
        else Text(f"{value:z.{decimals}f}", style="bold" if value == best and index < last else "")
        for index, value in enumerate([*values, ceiling])
    ]  # fmt: skip
