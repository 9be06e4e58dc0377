"""Stage `cell_graph`: number the terms and genes of the stratified hierarchy."""

import numpy as np
import polars as pl

from data_specs.cell_graph import CellGraph
from data_specs.cell_lines import channels_of, with_channels
from data_specs.chain import write_link
from data_specs.files import replacing_folder
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.parameters import Parameters
from pipeline.cell_graph.control import Account, controlled


def number(
    terms: pl.DataFrame,
    strata: pl.DataFrame,
    edges: pl.DataFrame,
    annotations: pl.DataFrame,
    names: pl.DataFrame | None = None,
    *,
    exact_names: bool = False,
) -> CellGraph:
    """Turn names into indices: terms in the order (stratum, term), genes in that of their names.

    Args:
        terms: columns term, name, genes_contained.
        strata: columns term, stratum, height.
        edges: columns child, parent.
        annotations: columns term, gene.
        names: `data_specs.tables.GENE_NAMES`, if there are any; kept, without those that
            the genes of the cell graph have already.
        exact_names: whether a gene has no name but its systematic one as written.
    """
    ordered = strata.join(terms, on="term", how="inner").sort("stratum", "term")
    genes = annotations["gene"].unique().sort()
    term_index = {term: index for index, term in enumerate(ordered["term"])}
    gene_index = {gene: index for index, gene in enumerate(genes)}
    pairs = [(term_index[term], gene_index[gene]) for term, gene in annotations.iter_rows()]
    if names is not None:
        systematic = (pl.col("kind") == "systematic") & pl.col("gene").is_in(genes.implode())
        names = names.filter(~systematic).select("name", "gene", "kind")
    links = [(term_index[child], term_index[parent]) for child, parent in edges.iter_rows()]
    return CellGraph(
        term_ids=ordered["term"].to_list(),
        term_names=ordered["name"].to_list(),
        gene_ids=genes.to_list(),
        strata=ordered["stratum"].to_numpy(),
        heights=ordered["height"].to_numpy(),
        genes_contained=ordered["genes_contained"].cast(pl.Int64).to_numpy(),
        annotations=np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2),
        edges=np.array(sorted(links), dtype=np.int64).reshape(-1, 2),
        gene_names=() if names is None else tuple(names.rows()),
        exact_names=exact_names,
    )


def of_hierarchy(layout: DataLayout, *, exact_names: bool) -> CellGraph:
    """The cell graph of the pruned hierarchy, before any control."""
    return number(
        pl.read_parquet(layout.hierarchy / "terms.parquet", glob=False),
        pl.read_parquet(layout.strata / "strata.parquet", glob=False),
        pl.read_parquet(layout.hierarchy / "edges.parquet", glob=False).select("child", "parent"),
        pl.read_parquet(layout.hierarchy / "annotations.parquet", glob=False).select(
            "term", "gene"
        ),
        pl.read_parquet(layout.annotations / "names.parquet", glob=False),
        exact_names=exact_names,
    )


def control_of(layout: DataLayout) -> Account | None:
    """The account of the control of a build; None if its cell graph is that of the hierarchy.

    Raises:
        ArtefactError: its ledger is damaged.
    """
    path = layout.cell_graph / "ledger.json"
    if not path.is_file():
        return None
    ledger = read_json(path)
    return Account.from_json(ledger.get("control") if isinstance(ledger, dict) else None, path)


def run(parameters: Parameters, layout: DataLayout) -> None:
    """Number the pruned hierarchy and write the cell graph; with a ledger if it is a control."""
    graph = of_hierarchy(layout, exact_names=parameters.genotypes.names == "exact")
    channels = channels_of(layout, apart=parameters.genotypes.channels == "apart")
    hierarchy, account = parameters.hierarchy, None
    if hierarchy.control != "none":
        graph, account = controlled(graph, hierarchy.control, hierarchy.control_seed)
    graph = with_channels(graph, channels)
    with replacing_folder(layout.cell_graph, layout.own("cell_graph")) as folder:
        graph.write(folder)
        if account:
            ledger = {"control": account.to_json(), "heights": np.bincount(graph.heights).tolist()}
            write_json(folder / "ledger.json", ledger)
        write_link(layout, "cell_graph", folder)
