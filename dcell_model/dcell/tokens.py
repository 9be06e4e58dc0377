"""The tokens of a term, where its inputs go through self-attention before its linear layer.

The output of each child is a token. With `model.gene_embedding` each direct gene is one, too, in a
term with at most `GENE_TOKENS` of them; else all direct genes of a term are one token together,
since a binary state alone has nothing to attend with, and since attention costs the square of the
number of tokens. A term with less than two tokens has no attention: there is nothing to weigh.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from data_specs.cell_graph import CellGraph
from data_specs.parameters import Model as ModelConfig

# A term that holds what belongs nowhere else may have thousands of direct genes, and all samples
# of a batch touch it.
GENE_TOKENS = 128


@dataclass(frozen=True, slots=True)
class TermTokens:
    """The tokens of one term: children in index order, then genes in index order.

    Attributes:
        widths: of each child's token, then, if it has direct genes, of its gene tokens, which all
            share one matrix; empty without attention.
        genes: number of gene tokens.
    """

    widths: tuple[int, ...]
    genes: int

    @property
    def count(self) -> int:
        """Tokens of the term; 0 without attention."""
        return len(self.widths) - bool(self.genes) + self.genes

    @property
    def children(self) -> int:
        """Tokens that are children's outputs."""
        return len(self.widths) - bool(self.genes)


def tokens_of(graph: CellGraph, config: ModelConfig, widths: Sequence[int]) -> list[TermTokens]:
    """The tokens of every term.

    Args:
        graph: the hierarchy.
        config: with or without attention.
        widths: `[T]` output neurons.
    """
    none = TermTokens((), 0)
    if not config.attention_heads:
        return [none] * graph.num_terms
    of_children: list[list[int]] = [[] for _ in range(graph.num_terms)]
    for child, parent in sorted(graph.edges.tolist()):
        of_children[parent].append(widths[child])
    found = []
    for own, genes in zip(of_children, graph.genes_direct.tolist(), strict=True):
        apart = bool(config.gene_embedding) and genes <= GENE_TOKENS
        gene_tokens = genes if apart else min(genes, 1)
        width = config.gene_embedding if apart else genes * max(1, config.gene_embedding)
        tokens = TermTokens((*own, *([width] if genes else [])), gene_tokens)
        found.append(tokens if tokens.count > 1 else none)
    return found
