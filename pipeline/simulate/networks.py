"""Networks between the genes of the invented cell, which reflect some of its terms.

Genes that belong to one term are linked now and then, and some edges mean nothing. So a network
says in a noisy way what the ontology says exactly, as real ones do.
"""

import numpy as np
import polars as pl

from pipeline.simulate.cell import LEAF_GENES, Cell, Ints
from pipeline.simulate.hidden_truth import FRACTION, Floats

# By name: least and largest share of the genes in a term that counts, edges a gene and term, and
# the share of the edges that mean nothing.
KINDS: dict[str, tuple[float, float, float, float]] = {
    "complexes": (0.0, 0.03, 3.0, 0.1),
    "coexpression": (0.03, 2 * FRACTION, 2.0, 0.4),
}


def draw_networks(cell: Cell, rng: np.random.Generator) -> dict[str, str]:
    """The networks as tab-separated tables `gene_a`, `gene_b`, `weight`, by name."""
    return {name: _table(cell, *draw_network(cell, *kind, rng)) for name, kind in KINDS.items()}


def draw_network(
    cell: Cell, least: float, most: float, links: float, noise: float, rng: np.random.Generator
) -> tuple[Ints, Floats]:
    """Link genes that share a term of such a size, and some that do not.

    Args:
        cell: the cell.
        least: share of the genes in the smallest terms that count.
        most: in the largest; 12 genes always do.
        links: edges a gene and term, about.
        noise: share of the edges between any genes.
        rng: source of randomness.

    Returns:
        `[E, 2]` genes, each edge once, sorted, and `[E]` weights between 0 and 1, which are higher
        for edges with a meaning, but not always.
    """
    genes = len(cell.genes)
    size = cell.contained.sum(axis=1)
    counts = (size >= max(2, least * genes)) & (size <= max(2 * LEAF_GENES, most * genes))
    drawn = []
    for term in np.flatnonzero(counts):
        members = np.flatnonzero(cell.contained[term])
        drawn.append(members[rng.integers(0, len(members), (round(links * len(members) / 2), 2))])
    meant = np.concatenate([np.empty((0, 2), dtype=np.int64), *drawn])
    meaningless = rng.integers(0, genes, (round(noise / (1 - noise) * len(meant)), 2))
    weight = np.concatenate(
        [rng.uniform(0.4, 0.95, len(meant)), rng.uniform(0.15, 0.6, len(meaningless))]
    )
    pairs = np.sort(np.concatenate([meant, meaningless]), axis=1)
    order = np.lexsort((-weight, pairs[:, 1], pairs[:, 0]))
    order = order[pairs[order, 0] < pairs[order, 1]]
    edges, first = np.unique(pairs[order], axis=0, return_index=True)
    return edges, weight[order][first]


def _table(cell: Cell, edges: Ints, weight: Floats) -> str:
    """Rows by the genes' names."""
    names = np.sort(np.array(cell.genes)[edges], axis=1)
    table = pl.DataFrame({"gene_a": names[:, 0], "gene_b": names[:, 1], "weight": weight})
    return table.sort("gene_a", "gene_b").write_csv(separator="\t", float_precision=3)
