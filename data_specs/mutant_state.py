"""The mutant state: which rows of the wild type's `[M, 4]` the deletion of genes changes."""

import numpy as np

from data_specs.cell_graph import CellGraph, IntArray
from data_specs.ragged import ragged_entries


class StateEncoder:
    """Finds the rows of the mutant state that deleted genes change, for all that encode genotypes.

    Genotypes come in compressed form: `genes` holds the indices of all deleted genes, one
    genotype after the other, and `offsets` `[N + 1]` where each begins. Indices from the cell
    graph's G on are assayed genes without annotation: they change no row.

    Args:
        graph: the cell graph.
        genes: number of genes that indices may name, at least G.
    """

    def __init__(self, graph: CellGraph, genes: int) -> None:
        self.graph, annotated = graph, graph.annotations[:, 1]
        # Rows of every gene, one gene after the other: compressed sparse rows over genes.
        self._rows = np.argsort(annotated, kind="stable")
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(annotated, minlength=genes))])

    def count(self, offsets: IntArray, genes: IntArray) -> IntArray:
        """`[N]` rows that differ from the wild type."""
        totals = np.concatenate([[0], np.cumsum(np.diff(self._starts)[genes])])
        counts: IntArray = totals[offsets[1:]] - totals[offsets[:-1]]
        return counts

    def delta(self, offsets: IntArray, genes: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """The changed rows, sorted by genotype and row.

        Returns:
            The genotype that each belongs to, its index m among the rows of the cell graph, and
            the index in `genes` of the deletion that changes it.
        """
        genotype, deleted = ragged_entries(offsets[:-1], offsets[1:])
        gene = genes[deleted]
        owner, entries = ragged_entries(self._starts[gene], self._starts[gene + 1])
        sample, row = genotype[owner], self._rows[entries]
        order = np.lexsort((row, sample))
        return sample[order], row[order], deleted[owner[order]]
