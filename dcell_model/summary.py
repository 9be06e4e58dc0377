"""What a run ends with: what was kept, what was learnt, and where the pictures are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def print_summary(
    ledger: Mapping[str, Any],
    metrics: Mapping[str, Any],
    plots: Sequence[Path],
    console: "Console | None" = None,
) -> None:
    """Print data, training and scores beside the baselines, in at most 80 columns.

    Args:
        ledger: as `ledger.json` holds it.
        metrics: as `metrics.json` holds it.
        plots: paths to list.
        console: where to print; by default the terminal.
    """
    from rich.console import Console

    console = console or Console(highlight=False)
    console.print()
    console.print(_facts(ledger, metrics))
    console.print()
    console.print(_scores(metrics))
    console.print()
    for folder in sorted({path.parent for path in plots}):
        names = ", ".join(path.name for path in plots if path.parent == folder)
        console.print(f"plots in {folder}: {names}", soft_wrap=False)


def _facts(ledger: Mapping[str, Any], metrics: Mapping[str, Any]) -> Any:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    rows, split, store = ledger["genotypes"], ledger["split"], ledger["store"]
    kept = f"{ledger['lines']:,} lines, {ledger['kept']:,} kept"
    table.add_row("annotations", kept + _dropped(ledger["dropped"]))
    steps = [f"{step['terms']:,} {step['step'].replace('_', ' ')}" for step in ledger["steps"]]
    table.add_row("terms", ", ".join(steps))
    table.add_row("strata", f"{len(ledger['strata'])}, widest {max(ledger['strata']):,} terms")
    table.add_row(
        "genotypes",
        f"{rows['rows']:,} rows, {rows['genotypes']:,} genotypes, {rows['merged']:,} rows merged"
        + _dropped(rows["dropped"]),
    )
    table.add_row(
        "store", f"{store['samples']:,} samples, {store['bytes_per_sample']:,} bytes each"
    )
    samples = [f"{n:,} {part}" for part, n in metrics["samples"].items() if n]
    table.add_row("samples", f"{', '.join(samples)} ({split['method']} split)")
    table.add_row("parameters", f"{metrics['parameters']:,}")
    table.add_row(
        "training",
        f"{metrics['epochs']} epochs, best {metrics['best_epoch']}, "
        f"{metrics['seconds_per_epoch']:.2f} s an epoch ({metrics['engine']} engine, "
        f"{metrics['device']})",
    )
    return table


def _dropped(reasons: Mapping[str, int]) -> str:
    counts = [f"{count:,} {reason.replace('_', ' ')}" for reason, count in reasons.items()]
    return f"; dropped {', '.join(counts)}" if counts else "; none dropped"


def _scores(metrics: Mapping[str, Any]) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title="test part", title_justify="left", title_style="bold")
    table.add_column("model")
    for column in ("Pearson", "Spearman", "MSE"):
        table.add_column(column, justify="right")
    rows = {"DCell": metrics, **metrics["baselines"]}
    tests = {name: row.get("test", {}) for name, row in rows.items()}
    correlations = {name: test.get("pearson") for name, test in tests.items()}
    best = max(correlations, key=lambda name: correlations[name] or float("-inf"))
    for name, test in tests.items():
        values = [_format(test.get(key), key) for key in ("pearson", "spearman", "mse")]
        table.add_row(name, *values, style="bold" if name == best else None)
    return table


def _format(value: float | None, key: str) -> str:
    if value is None:
        return "–"
    return f"{value:.5f}" if key == "mse" else f"{value:.3f}"
