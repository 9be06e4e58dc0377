"""The promises of the hierarchy, its strata, its control and its names."""

import networkx as nx
import numpy as np
import polars as pl

from data_specs.cell_graph import CellGraph
from data_specs.cell_lines import with_channels
from data_specs.gene_names import GeneNames, counts
from data_specs.layout import DataLayout, read_json
from data_specs.ledger_words import counted, words
from data_specs.tables import ROOT
from pipeline.cell_graph import WHAT, control_of, moved, of_hierarchy
from pipeline.verify.promises import BrokenPromiseError, require


def check_hierarchy(graph: CellGraph, layout: DataLayout, control: bool) -> str:
    """The root is the pipeline's, and containment grows upwards; reading checked the rest.

    In a control the contained genes are those of the real hierarchy, and need not grow.
    """
    path = layout.hierarchy / "ledger.json"
    root = (read_json(path) if path.is_file() else {}).get("root", ROOT)
    require(graph.term_ids[0] == root, f"the root is {graph.term_ids[0]}; expected {root}")
    child, parent = graph.edges.T
    contained = graph.genes_contained
    grows = control or bool((contained[parent] >= contained[child]).all())
    require(grows, "containment shrinks upwards")
    return f"{graph.num_terms:,} terms in {graph.num_strata} strata, {len(graph.edges):,} edges"


def check_strata(graph: CellGraph, layout: DataLayout) -> str:
    """No edge joins two terms of one stratum, and the table of strata says the same as the graph.

    Levels and depths are counted again from the ontology, along other paths of code.
    """
    child, parent = graph.edges.T
    flat = np.flatnonzero(graph.strata[child] <= graph.strata[parent])
    if flat.size:
        below, above = graph.edges[flat[0]]
        raise BrokenPromiseError(
            f"{graph.term_ids[below]} and its parent {graph.term_ids[above]} are in strata "
            f"{graph.strata[below]} and {graph.strata[above]}; expected the child's to be larger"
        )
    found = f"{len(graph.edges):,} edges, none within a stratum"
    path = layout.strata / "strata.parquet"
    if not path.is_file():
        return found
    table = pl.read_parquet(path, glob=False)
    same = dict(zip(graph.term_ids, graph.strata.tolist(), strict=True))
    require(same == dict(table.select("term", "stratum").iter_rows()), f"{path}: other strata")
    if "level" not in table.columns:  # a build from before there were levels
        return found
    _check_levels(table, layout)
    level = dict(table.select("term", "level").iter_rows())
    ends = ((level[graph.term_ids[c]], level[graph.term_ids[p]]) for c, p in graph.edges.tolist())
    one = sum(below == above for below, above in ends if below is not None)
    return f"{found}; {one:,} within a level"


def _check_levels(table: pl.DataFrame, layout: DataLayout) -> None:
    """Level and depth of every term, by the generations of the ontology and by distances."""
    edges = pl.read_parquet(layout.ontology / "edges.parquet", glob=False).filter(relation="is_a")
    terms = pl.read_parquet(layout.ontology / "terms.parquet", glob=False)
    graph = nx.DiGraph(edges.select("parent", "child").rows())
    graph.add_nodes_from(terms.filter(~pl.col("obsolete"))["term"])
    depth = {t: n for n, layer in enumerate(nx.topological_generations(graph)) for t in layer}
    above = object()  # all roots, one step down from it
    graph.add_edges_from([(above, term) for term in list(graph) if not graph.in_degree(term)])
    level = nx.single_source_shortest_path_length(graph, above)
    for term, stated, deepest in table.select("term", "level", "depth").iter_rows():
        expected = (level[term] - 1, depth[term]) if term in depth else (None, None)
        require(
            (stated, deepest) == expected,
            f"{term} has level {stated} and depth {deepest}; the ontology says {expected}",
        )


def check_control(graph: CellGraph, layout: DataLayout) -> str:
    """All sizes are those of the hierarchy, and as many pairs differ from it as the ledger says."""
    account = control_of(layout)
    assert account is not None, "asked of controls alone"
    real = with_channels(of_hierarchy(layout, exact_names=graph.exact_names), graph.channels)
    inputs = max(1, len(graph.channels))
    for name in ("term_ids", "gene_ids", "strata", "genes_contained"):
        same = np.array_equal(getattr(graph, name), getattr(real, name))
        require(same, f"{words(name)} differ from the hierarchy's")
    for what, ends in (("annotations", ("term", "gene")), ("edges", ("child", "parent"))):
        before, now = getattr(real, what), getattr(graph, what)
        others = moved(before, now)
        expected = account.moved if what == WHAT[account.control] else 0
        expected *= inputs if what == "annotations" else 1
        require(others == expected, f"{others:,} {what} moved; its ledger says {expected:,}")
        for end, name in enumerate(ends):
            counts = []
            for pairs in (before, now):
                stratum = real.strata[pairs[:, 1 - end]] if what == "edges" else 0
                counts.append(np.sort(pairs[:, end] * real.num_strata + stratum))
            same = np.array_equal(counts[0], counts[1])
            require(same, f"a {name} has more or fewer {what} than it had")
    return str(account)


def check_rows(graph: CellGraph) -> str:
    """Genes are sorted, as the numbers in the store suppose."""
    require(list(graph.gene_ids) == sorted(graph.gene_ids), "genes are not sorted")
    return f"{len(graph.annotations):,} rows of {graph.num_genes:,} genes"


def check_names(graph: CellGraph, layout: DataLayout) -> str:
    """Every name in the genotypes has the same meaning for a model on the cell graph."""
    names = GeneNames.of(graph)
    table = pl.read_parquet(layout.genotypes / "gene_names.parquet", glob=False)
    for name, gene, how in table.select("name", "gene", "how").iter_rows():
        found = names.resolve(name)
        require(
            (found.gene, found.how) == (gene, how),
            f"'{name}' was taken for {gene} ({how}); the cell graph says {found.gene}",
        )
    return counted(counts(table["how"]), zeros=True)
