"""Stage `strata`: the stratum of every term, in which all its children lie deeper than itself.

Beside it stand goatools' `level` and `depth`, which are of the whole ontology: a child may have its
parent's level, or a smaller one, so levels do not order the work as strata do.
"""

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


def shortest_paths(terms: Iterable[str], edges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Length of the shortest path to each term along the edges (source, target); sources are 0."""
    graph = nx.DiGraph()
    graph.add_nodes_from(terms)
    graph.add_edges_from(edges)
    length: dict[str, int] = {}
    for distance, layer in enumerate(
        nx.bfs_layers(graph, [t for t, n in graph.in_degree if not n])
    ):
        length.update(dict.fromkeys(layer, distance))
    return length


def levels(terms: Iterable[str], edges: Iterable[tuple[str, str]]) -> pl.DataFrame:
    """Level and depth of terms, as goatools' `GODag` has them.

    Args:
        terms: live terms of an ontology.
        edges: (child, parent) pairs of the relation is_a among them.

    Returns:
        Columns `term`, `level` (length of the shortest path from a root) and `depth` (of the
        longest).
    """
    terms, down = list(terms), [(parent, child) for child, parent in edges]
    level, depth = shortest_paths(terms, down), longest_paths(terms, down)
    return pl.DataFrame(
        {"term": terms, "level": [level[t] for t in terms], "depth": [depth[t] for t in terms]},
        schema={"term": pl.String, "level": pl.Int64, "depth": pl.Int64},
    )


def levels_of(layout: DataLayout) -> pl.DataFrame:
    """`levels` of the ontology of a build."""
    terms = pl.read_parquet(layout.ontology / "terms.parquet", glob=False)
    edges = pl.read_parquet(layout.ontology / "edges.parquet", glob=False)
    is_a = edges.filter(relation="is_a").select("child", "parent").unique()
    return levels(terms.filter(~pl.col("obsolete"))["term"], is_a.iter_rows())


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
        The columns `term`, `stratum` and `height` of `data_specs.tables.STRATA`.
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
    """Stratify the pruned hierarchy; write the table and the counts per stratum and height.

    The table is `data_specs.tables.STRATA`.
    """
    terms = pl.read_parquet(layout.hierarchy / "terms.parquet", glob=False)["term"]
    edges = pl.read_parquet(layout.hierarchy / "edges.parquet", glob=False)
    table = stratify(terms, edges.iter_rows(), parameters.strata.origin)
    table = table.join(levels_of(layout), on="term", how="left", maintain_order="left")
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
