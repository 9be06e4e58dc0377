"""The terms in the order of their ablation, and a table of the first on the terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_specs.randomised import randomised

if TYPE_CHECKING:
    from data_specs.console import Console

SIGNIFICANT = 0.05  # false discovery rate
SHOWN = 10


def strongest(table: pa.Table, count: int) -> list[dict[str, Any]]:
    """The rows with the largest ablation above 0; the root, the whole model, is omitted."""
    rows = [row for row in table.to_pylist() if row["stratum"] > 0 and (row["ablation"] or 0) > 0]
    return sorted(rows, key=lambda row: (-row["ablation"], row["term"]))[:count]


def print_report(table: Path, description: Mapping[str, Any], out: Path) -> None:
    """Print the ten terms with the largest ablation, within 80 columns, and the omitted ones.

    Args:
        table: Parquet of `explain.importance`.
        description: the content of `explain.json`.
        out: the folder.
    """
    from rich import box
    from rich.table import Table

    from data_specs.console import Console

    console = Console()
    if warning := randomised(description["control"]):
        console.print(f"\nwarning: {warning}")
    console.print(
        f"\n{description['samples']:,} genotypes of the part '{description['part']}', phenotype "
        f"{description['phenotype']}\n{description['judged']:,} of {description['terms']:,} terms "
        f"judged, {description['permutations']:,} permutations"
    )
    for reason, count in description["not_judged"].items():
        console.print(f"  {count:,} omitted: {reason}")
    _warn(pq.read_table(table)["ablation_p"].to_pylist(), description["permutations"], console)
    if description["samples_that_touch_no_term"]:
        console.print(f"  {description['samples_that_touch_no_term']:,} genotypes touch no term")
    shown = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, padding=(0, 1, 0, 0),
        title_justify="left", title_style="bold",
    )  # fmt: skip
    shown.title = "the largest increase of the squared error when held at the wild type"
    shown.add_column("term", no_wrap=True)
    shown.add_column("name", no_wrap=True, overflow="ellipsis", max_width=20)
    for name, width in (("ablation", 8), ("FDR", 5), ("grad·in", 8), ("head r", 6), ("RLIPP", 6)):
        shown.add_column(name, justify="right", no_wrap=True, min_width=width)
    rows = strongest(pq.read_table(table), SHOWN)
    for row in rows:
        cells = [row["term"], row["name"], f"{row['ablation']:.2e}", f"{row['ablation_fdr']:.3f}"]
        cells.append(f"{row['gradient_input']:.2e}")
        rest = (row[name] for name in ("head_pearson", "rlipp"))
        cells += ["–" if value is None else f"{value:.2f}".replace("-", "−") for value in rest]
        shown.add_row(*cells)
    if rows:
        console.print(shown)
    console.print(str(out))


def _warn(p_values: Sequence[float | None], permutations: int, console: "Console") -> None:
    """Say so where no term can pass, however small the chance: the smallest p-values are tied."""
    known = [p for p in p_values if p is not None]
    least = 1 / (permutations + 1)
    lowest = sum(p <= least * 1.01 for p in known)
    if lowest and least * len(known) / lowest > SIGNIFICANT:
        needed = int(len(known) / lowest / SIGNIFICANT)
        console.print(
            f"  {permutations:,} permutations are too few for a false discovery rate of "
            f"{SIGNIFICANT:g} here; {needed:,} are enough"
        )
