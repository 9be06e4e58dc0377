"""Which inputs of a term are tokens."""

import pytest

from data_specs.parameters.sections import Model
from dcell_model.dcell import tokens
from dcell_model.dcell.tokens import TermTokens, tokens_of
from tests.hierarchies import cell_graph

# The root has both others as children; terms 1 and 2 have three genes and one gene.
GRAPH = cell_graph([(1, 0), (2, 0)], [(0, 0), (1, 0), (1, 1), (1, 2), (2, 3)], terms=3, genes=4)
WIDTHS = [5, 7, 9]


def found(**config: int) -> list[TermTokens]:
    return tokens_of(GRAPH, Model(**config), WIDTHS)


def test_without_attention_there_are_none() -> None:
    assert [own.count for own in found(gene_embedding=2)] == [0, 0, 0]


def test_binary_genes_are_one_token() -> None:
    root, *leaves = found(attention_heads=1)
    assert (root.widths, root.genes, root.count, root.children) == ((7, 9, 1), 1, 3, 2)
    assert [own.count for own in leaves] == [0, 0]  # one token has nothing to attend to


def test_embedded_genes_are_a_token_each() -> None:
    root, many, one = found(attention_heads=1, gene_embedding=2)
    assert (root.widths, root.count) == ((7, 9, 2), 3)
    assert (many.widths, many.genes, many.count, many.children) == ((2,), 3, 3, 0)
    assert one.count == 0


def test_genes_of_a_term_with_very_many_are_one_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "GENE_TOKENS", 2)
    root, many, _ = found(attention_heads=1, gene_embedding=2)
    assert root.widths == (7, 9, 2)
    assert many.count == 0
    monkeypatch.setattr(tokens, "GENE_TOKENS", 0)
    assert found(attention_heads=1, gene_embedding=2)[0].genes == 1


def test_a_term_without_genes_has_its_children_only() -> None:
    graph = cell_graph([(1, 0), (2, 0)], [(1, 0), (2, 1)], terms=3, genes=2)
    root = tokens_of(graph, Model(attention_heads=1), [5, 7, 9])[0]
    assert (root.widths, root.genes, root.count, root.children) == ((7, 9), 0, 2, 2)
