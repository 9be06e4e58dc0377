"""Numbering terms and genes."""

import polars as pl

from pipeline.cell_graph.stage import number


def test_terms_by_stratum_and_genes_by_name() -> None:
    graph = number(
        terms=pl.DataFrame(
            {"term": ["a", "b", "r"], "name": ["A", "B", "R"], "genes_contained": [1, 2, 2]}
        ),
        strata=pl.DataFrame({"term": ["a", "b", "r"], "stratum": [2, 1, 0], "height": [0, 1, 2]}),
        edges=pl.DataFrame({"child": ["a", "b"], "parent": ["b", "r"]}),
        annotations=pl.DataFrame({"term": ["b", "a"], "gene": ["g1", "g2"]}),
        names=pl.DataFrame({"gene": ["g1", "g3"], "name": ["N1", "N3"], "kind": ["symbol"] * 2}),
    )
    assert graph.gene_names == (("N1", "g1", "symbol"), ("N3", "g3", "symbol"))
    assert graph.term_ids == ["r", "b", "a"]
    assert graph.term_names == ["R", "B", "A"]
    assert graph.gene_ids == ["g1", "g2"]
    assert graph.strata.tolist() == [0, 1, 2]
    assert graph.heights.tolist() == [2, 1, 0]
    assert graph.genes_contained.tolist() == [2, 2, 1]
    assert graph.annotations.tolist() == [[1, 0], [2, 1]]
    assert graph.edges.tolist() == [[1, 0], [2, 1]]
    assert graph.wild_type.tolist() == [[1, 0, 1, 1], [2, 1, 2, 1]]
