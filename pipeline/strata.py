"""Stage `strata`: the stratum of every term, in which all its children lie deeper than itself."""

from collections.abc import Iterable, Mapping

import networkx as nx
import polars as pl

from data_specs.files import replacing_folder
from data_specs.layout import DataLayout, write_json
from data_specs.parameters import Parameters
from data_specs.tables import write_table
from pipeline.stage import run_stage


def longest_paths(terms: Iterable[str], edges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Length of the longest path to each term along the edges (source, target); sources are 0."""
    graph = nx.DiGraph()
    graph.add_nodes_from(terms)
    graph.add_edges_from(edges)
    length: dict[str, int] = dict.fromkeys(graph, 0)
    for term in nx.topological_sort(graph):
        for target in graph.successors(term):
            length[target] = max(length[target], length[term] + 1)
    return length


def stratify(
    terms: Iterable[str], edges: Iterable[tuple[str, str]], origin: str = "root"
) -> pl.DataFrame:
    """Give every term its stratum and height, sorted by (stratum, term).

    Args:
        terms: the terms.
        edges: (child, parent) pairs under one root.
        origin: `root` makes the stratum the longest path from the root; `leaves` makes it the
            root's height minus the term's own, so that the root is 0 here too.

    Returns:
        Columns `data_specs.tables.STRATA`.
    """
    terms, edges = list(terms), list(edges)
    depth = longest_paths(terms, ((parent, child) for child, parent in edges))
    height = longest_paths(terms, edges)
    top = max(height.values())
    stratum = depth if origin == "root" else {term: top - height[term] for term in terms}
    check_strata(stratum, edges)
    return pl.DataFrame(
        {
            "term": terms,
            "stratum": [stratum[term] for term in terms],
            "height": [height[term] for term in terms],
        },
        schema={"term": pl.String, "stratum": pl.Int64, "height": pl.Int64},
    ).sort("stratum", "term")


def check_strata(stratum: Mapping[str, int], edges: Iterable[tuple[str, str]]) -> None:
    """Refuse strata in which a child is not deeper than its parent: a stratum runs as one step."""
    for child, parent in edges:
        assert stratum[child] > stratum[parent], f"{child} is not deeper than its parent {parent}"


def run(parameters: Parameters, layout: DataLayout) -> None:
    """Stratify the pruned hierarchy; write the table and the counts per stratum and height."""
    terms = pl.read_parquet(layout.hierarchy / "terms.parquet", glob=False)["term"]
    edges = pl.read_parquet(layout.hierarchy / "edges.parquet", glob=False)
    table = stratify(terms, edges.iter_rows(), parameters.strata.origin)
    with replacing_folder(layout.strata, layout.own("strata")) as folder:
        folder.mkdir()
        write_table(table, folder / "strata.parquet")
        ledger = {
            "strata": table.group_by("stratum").len().sort("stratum")["len"].to_list(),
            "heights": table.group_by("height").len().sort("height")["len"].to_list(),
            "leaves": table.filter(pl.col("height") == 0).height,
        }
        write_json(folder / "ledger.json", ledger)


if __name__ == "__main__":
    run_stage(run)
