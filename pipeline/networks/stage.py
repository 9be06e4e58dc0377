"""Stage `networks`: the gene networks, on the genes of the store and each edge once.

A network is undirected: an edge that is given in both directions, or repeatedly, counts once, with
the largest of its weights. What is omitted is counted: edges of a gene with itself
(`self`), with a gene that the store does not have (`unknown_gene`), and those whose weight is 0 or
below `networks.least_weight` (`weight`). Names of genes mean what they mean in genotypes
(`data_specs.gene_names`); `names` counts those that were renamed, ambiguous, or no gene's.
"""

import re
from pathlib import Path
from typing import Any

import polars as pl

from data_specs.cell_graph import CellGraph
from data_specs.chain import write_link
from data_specs.errors import InputError
from data_specs.files import replacing_folder
from data_specs.gene_names import GeneNames, counts
from data_specs.gene_networks import write_manifest
from data_specs.layout import DataLayout, write_json
from data_specs.parameters import Networks, Parameters
from data_specs.store import StoreReader
from data_specs.tables import write_table
from pipeline.networks.formats import read_gene_list, read_networks
from pipeline.sources import input_files


def clean(
    edges: pl.DataFrame, genes: list[str], config: Networks
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Keep every edge between two known genes once.

    Args:
        edges: `gene_a`, `gene_b`, `weight` as `network_formats.read_networks` gives them.
        genes: the known genes.
        config: the least weight.

    Returns:
        Columns `data_specs.tables.NETWORK`, sorted; and the account: rows, dropped rows by the
        first reason that holds, rows merged, edges, genes with an edge.
    """
    known = pl.Series(genes, dtype=pl.String).implode()
    reason = (
        pl.when(pl.col("gene_a") == pl.col("gene_b"))
        .then(pl.lit("self"))
        .when(~(pl.col("gene_a").is_in(known) & pl.col("gene_b").is_in(known)))
        .then(pl.lit("unknown_gene"))
        .when((pl.col("weight") <= 0) | (pl.col("weight") < config.least_weight))
        .then(pl.lit("weight"))
    )
    judged = edges.with_columns(reason=reason)
    kept = judged.filter(pl.col("reason").is_null())
    merged = (
        kept.select(
            gene_a=pl.min_horizontal("gene_a", "gene_b"),
            gene_b=pl.max_horizontal("gene_a", "gene_b"),
            weight=pl.col("weight").cast(pl.Float32),
        )
        .group_by("gene_a", "gene_b")
        .agg(pl.col("weight").max())
        .sort("gene_a", "gene_b")
    )
    counts = dict(judged["reason"].drop_nulls().value_counts().iter_rows())
    return merged, {
        "rows": edges.height,
        "dropped": {name: counts.get(name, 0) for name in ("self", "unknown_gene", "weight")},
        "merged": kept.height - merged.height,
        "edges": merged.height,
        "genes": pl.concat([merged["gene_a"], merged["gene_b"]]).n_unique(),
    }


def named(edges: pl.DataFrame, names: GeneNames) -> tuple[pl.DataFrame, dict[str, int]]:
    """Edges between genes, resolved from names, and the numbers of names by kind."""
    ends = pl.concat([edges["gene_a"], edges["gene_b"]]).unique().sort()
    found = [names.resolve(name) for name in ends]
    genes = pl.DataFrame({"name": ends, "gene": [resolution.gene for resolution in found]})
    for end in ("gene_a", "gene_b"):
        meant = edges.select(name=end).join(genes, on="name", how="left", maintain_order="left")
        edges = edges.with_columns(meant["gene"].alias(end))
    return edges, counts(resolution.how for resolution in found)


def name_of(path: Path, channel: str = "") -> str:
    """The name of a network: that of its file, without suffixes of its format.

    A channel comes last: `4932.protein.links.detailed.v12.0.txt.gz` has a network
    `4932.v12.0.coexpression`.
    """
    name = path.name.removesuffix(".gz")
    for ending in (".tsv", ".csv", ".txt", ".parquet", "_adjacency"):
        name = name.removesuffix(ending)
    name = re.sub(r"\.protein(\.physical)?\.links(\.detailed|\.full)?(?=\.|$)", r"\1", name)
    return f"{name}.{channel}" if channel else name


def run(parameters: Parameters, layout: DataLayout) -> None:
    """Write a table for every network, the manifest and the account; none if none was given.

    Raises:
        InputError: a file that is no network, or two of one name.
    """
    graph, meta = CellGraph.read(layout.cell_graph), StoreReader(layout.store).meta
    known, names = [*graph.gene_ids, *meta.other_genes], GeneNames.of(graph)
    lists = input_files(layout, "network_genes")
    genes = read_gene_list(lists[0][1]) if lists else None
    account: dict[str, Any] = {}
    with replacing_folder(layout.networks, layout.own("networks")) as folder:
        folder.mkdir()
        for given, path in input_files(layout, "networks"):
            for channel, edges in read_networks(path, genes).items():
                name = name_of(path, channel)
                if name in account:
                    raise InputError(
                        f"{given}: a second network of the name '{name}'; rename the file"
                    )
                edges, how = named(edges, names)
                table, account[name] = clean(edges, known, parameters.networks)
                account[name]["names"] = how
                write_table(table, folder / f"{name}.parquet")
        write_json(folder / "ledger.json", {"genes": len(known), "networks": account})
        write_manifest(folder, list(account))
        write_link(layout, "networks", folder)
