"""A benchmark's record as tables that fit into 80 columns."""

from typing import Any


def print_record(record: dict[str, Any]) -> None:
    """Print the tables of a record."""
    from data_specs.console import Console

    console = Console(width=80)
    hardware = record["hardware"]
    console.print(
        f"{hardware['cpu']}, {hardware['cores']} cores, {hardware['memory_gib']} GiB; "
        f"torch {record['versions']['torch']}",
    )
    console.print(f"GPU rows: {record['gpu']}")
    console.print(steps_table(record))
    console.print(loader_table(record))
    if record["cost_against_work"]:
        console.print(cost_table(record))


def steps_table(record: dict[str, Any]) -> Any:
    """Training steps: forward, backward, optimiser, rate, memory of a step, kernel launches."""
    from rich.table import Table

    table = Table(title="training steps, all auxiliary losses, AdamW; medians",
                  title_justify="left", box=None, pad_edge=False)  # fmt: skip
    table.add_column("engine", no_wrap=True, min_width=24)
    names = ["batch", "fwd ms", "bwd ms", "opt ms", "samples/s", "MiB"]
    on_gpu = any(row.get("kernel_launches") for row in record["steps"])
    for name in [*names, *(["launches"] if on_gpu else [])]:
        table.add_column(name, justify="right", no_wrap=True)
    before = None
    for row in record["steps"]:
        kind = f"{row['widths']} widths, {row['precision']}"
        if kind != before:
            table.add_row(kind, style="dim")
            before = kind
        name, size = f"  {row['engine']}", f"{row['batch_size']:,}"
        if "failed" in row:
            table.add_row(name, size, "", "", "", "not run")
            continue
        phases = [f"{row[part]['median']:,.0f}" for part in ("forward", "backward", "optimiser")]
        rate, memory = row["samples_per_second"]["median"], row["step_memory_mib"]
        launches = [f"{row['kernel_launches']:,}"] if on_gpu else []
        table.add_row(name, size, *phases, f"{rate:,.0f}", f"{memory:,.0f}", *launches)
    return table


def loader_table(record: dict[str, Any]) -> Any:
    """The loader alone, and the store's build."""
    from rich.table import Table

    table = Table(title="\nloader, random batches", title_justify="left", box=None, pad_edge=False)
    table.add_column("how", no_wrap=True)
    table.add_column("samples/s", justify="right")
    for row in record["loader"]:
        table.add_row(row["how"], f"{row['samples_per_second']['median']:,}")
    return table


def cost_table(record: dict[str, Any]) -> Any:
    """Build, loader and training against the number of samples."""
    from rich.table import Table

    table = Table(title="\ncost against work", title_justify="left", box=None, pad_edge=False)
    for name in ("samples", "build s", "µs/sample", "build MiB", "bytes", "loader/s", "train/s"):
        table.add_column(name, justify="right")
    for row in record["cost_against_work"]:
        build = row["build"]
        table.add_row(
            f"{row['samples']:,}",
            f"{build['seconds']:.1f}",
            f"{build['microseconds_per_sample']:.0f}",
            f"{build['peak_memory_mib']:,.0f}",
            f"{build['bytes_per_sample']:.0f}",
            f"{row['loader']['samples_per_second']['median']:,}",
            f"{row['incremental']['samples_per_second']['median']:,.0f}",
        )
    return table


def markdown(record: dict[str, Any]) -> str:
    """The table of docs/performance.md: samples/s by implementation and batch size, fp32."""
    rows = [
        row
        for row in record["steps"]
        if (row["widths"], row["precision"]) == ("direct", "fp32") and "failed" not in row
    ]
    sizes = sorted({row["batch_size"] for row in rows})
    row_of = {(row["engine"], row["batch_size"]): row for row in rows}
    engines = sorted(
        dict.fromkeys(row["engine"] for row in rows),
        key=lambda engine: max(
            _median(row_of[engine, size]) for size in sizes if (engine, size) in row_of
        ),
    )
    lines = [
        "| samples/s at a batch of | " + " | ".join(f"{size:,}" for size in sizes) + " |",
        "|---|" + "---:|" * len(sizes),
    ]
    for engine in engines:
        cells = [
            f"{_median(row_of[engine, s]):,.0f}" if (engine, s) in row_of else "–" for s in sizes
        ]
        lines.append(f"| {MARKDOWN_NAMES[engine]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _median(row: dict[str, Any]) -> float:
    return float(row["samples_per_second"]["median"])


MARKDOWN_NAMES = {
    "cellmaps_vnn": "`cellmaps_vnn` 0.3 from PyPI",
    "drugcell": "the DrugCell scheme",
    "reference": "`reference`, term by term",
    "stratum": "`stratum`, of earlier versions",
    "torch": "`incremental` in torch",
    "incremental": "`incremental`",
}
