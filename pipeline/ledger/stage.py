"""Stage `ledger`: one account of all records that steps kept or dropped, and plots of it."""

from pathlib import Path
from typing import Any

import polars as pl

from data_specs.files import replacing_folder
from data_specs.layout import ENTRIES, DataLayout, read_json, write_json
from pipeline.ledger import plots


def assemble(layout: DataLayout) -> dict[str, Any]:
    """Join the parts that the stages wrote.

    Keys: those of the annotation lines (lines, dropped, kept, remapped, and of several files
    `annotation_files`), the pruning `steps`, the `root` where it is no virtual one, `strata`,
    `heights`, `leaves`, `control` where there is one, `inputs`, then `ontology` (dropped edges and
    tags that OBO does not have), `genotypes`, `store`, `split`, and `networks` if any were given.
    """

    def part(folder: Path) -> dict[str, Any]:
        values: dict[str, Any] = read_json(folder / "ledger.json")
        return values

    controlled = part(layout.cell_graph) if (layout.cell_graph / "ledger.json").is_file() else {}
    networks = part(layout.networks)["networks"] if layout.networks.is_dir() else {}
    return {
        **part(layout.annotations),
        **part(layout.hierarchy),
        **part(layout.strata),
        **controlled,
        "inputs": read_json(layout.sources / "sources.json")["inputs"],
        "ontology": part(layout.ontology),
        "genotypes": part(layout.genotypes),
        "store": part(layout.store),
        "split": part(layout.split),
        **({"networks": networks} if networks else {}),
    }


def run(layout: DataLayout, target: Path, plots_folder: Path) -> None:
    """Write the ledger to `target` and its plots into `plots_folder`."""
    ledger = assemble(layout)
    write_json(target, ledger)
    with replacing_folder(plots_folder, ENTRIES["plots"]) as folder:
        folder.mkdir()
        plots.ledger_waterfall(ledger, folder / "ledger.png")
        plots.strata_sizes(ledger, folder / "strata.png")
        if (table := _strata(layout)) is not None:
            edges = pl.read_parquet(layout.hierarchy / "edges.parquet", glob=False)
            plots.strata_and_levels(table, edges, folder / "levels.png")


def _strata(layout: DataLayout) -> pl.DataFrame | None:
    """The strata with their levels; None of a build from before there were any."""
    table = pl.read_parquet(layout.strata / "strata.parquet", glob=False)
    return table if "level" in table.columns else None
