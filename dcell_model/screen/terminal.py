"""The summary of `dcell screen`: how many, how strong, and the meaning of the numbers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from data_specs.layout import read_json
from dcell_model.checkpoint import reach_in_words
from dcell_model.screen.command import MARKER, TOP

SHOWN = 10
MEANINGS = {
    "prediction": "the prediction itself: the model was trained on interactions",
    "multiplicative": "deviation from the product of the parts' fitness, wild type = 1",
    "additive": "deviation from the sum of the parts' effects",
}


def print_report(out: Path, summary: Mapping[str, Any]) -> None:
    """Print the summary of a screen and its strongest interactions, within 80 columns."""
    from rich import box
    from rich.table import Table

    from data_specs.console import Console

    console = Console()
    screen = read_json(out / MARKER)
    kept = f"{summary['kept']:,} kept"
    if screen["threshold"] is not None:
        kept += f" (|interaction| ≥ {screen['threshold']:g})"
    kind = {2: "pairs", 3: "triples"}.get(screen["order"], "genotypes")
    console.print(f"\n{summary['numbered']:,} {kind}, {kept}; phenotype {screen['phenotype']}")
    console.print(f"interaction: {MEANINGS[summary['score']]}")
    wild_type = summary["wild_type"]
    console.print(f"prediction for the wild type: {wild_type:.4f}")
    if summary["score"] == "multiplicative" and abs(wild_type - 1) > 0.1:
        console.print("  far from 1: the model does not know the wild type well, and with it "
                      "the scale\n  of all interactions is uncertain")  # fmt: skip
    interval, members = summary["interval"], summary["members"]
    if members > 1:
        console.print(f"an ensemble of {members}: mean predictions")
    if interval is not None:
        reach = reach_in_words(interval["half_width"], interval["per_spread"])
        console.print(
            f"{interval['level']:.0%} of genotypes like those of training lie within {reach}\n"
            "  of the prediction"
        )
    unseen = summary["unseen_genes"]
    if unseen:
        console.print(f"* training never saw {len(unseen):,} of the genes deleted: no interval "
                      "holds with them")  # fmt: skip
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", title_style="bold")
    rows = pq.read_table(out / TOP).slice(0, SHOWN).to_pylist()
    table.title = "the strongest"
    table.add_column("genes", overflow="fold")
    table.add_column("systematic names", overflow="fold")
    table.add_column("prediction", justify="right")
    table.add_column("interaction", justify="right")
    if members > 1:
        table.add_column("spread", justify="right")
    for row in rows:
        numbers = range(1, screen["order"] + 1)
        new = row["unseen"].split("|")
        marks = {n: "*" if row[f"gene_{n}"] in new else "" for n in numbers}
        names = (
            " ".join(f"{row[f'{kind}_{n}']}{marks[n] if kind == 'gene' else ''}" for n in numbers)
            for kind in ("name", "gene")
        )
        values = [f"{row['prediction']:.4f}", f"{row['interaction']:+.4f}"]
        if members > 1:
            spread = row.get("interaction_spread", row["prediction_spread"])
            values.append(f"{spread:.4f}")
        table.add_row(*names, *values)
    if rows:
        console.print(table)
    console.print(str(out))
