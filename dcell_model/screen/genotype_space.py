"""All genotypes of one order, numbered, so that any stretch of them is made without the others.

Without queries: every set of k genes, in lexicographic order. With queries (sets of genes that a
genotype must hold one of, as a trigenic screen's query strains): query by query, the query with
every set of further genes; a genotype that also holds an earlier query is omitted. A part is a
stretch of numbers within one query.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of genotypes: numbers `first` to `last` − 1 of those of a query."""

    query: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class GenotypeSpace:
    """Genotypes of `order` genes.

    Attributes:
        genes: `[n]` int64 indices of the genes to combine, sorted.
        order: k.
        queries: sets of at most k genes, each sorted; one empty set for all combinations.
    """

    genes: IntArray
    order: int
    queries: Sequence[tuple[int, ...]] = ((),)

    def further(self, query: int) -> IntArray:
        """Genes that a query is combined with, sorted."""
        own = np.array(self.queries[query], dtype=np.int64)
        return self.genes[~np.isin(self.genes, own)]

    def numbered(self, query: int) -> int:
        """Genotypes of a query, those of an earlier one included."""
        missing = self.order - len(self.queries[query])
        return math.comb(len(self.further(query)), missing)

    def __len__(self) -> int:
        return sum(self.numbered(query) for query in range(len(self.queries)))

    def parts(self, rows: int) -> Iterator[Part]:
        """All parts of at most so many numbers, in order."""
        for query in range(len(self.queries)):
            total = self.numbered(query)
            for first in range(0, total, rows):
                yield Part(query, first, min(first + rows, total))

    def genotypes(self, part: Part) -> IntArray:
        """`[B, k]` int64 gene indices of a part, sorted within a genotype."""
        query, further = self.queries[part.query], self.further(part.query)
        missing = self.order - len(query)
        places = combinations(len(further), missing, part.first, part.last)
        fixed = np.tile(np.array(query, dtype=np.int64), (len(places), 1))
        rows: IntArray = np.sort(np.concatenate([fixed, further[places]], axis=1), axis=1)
        held = np.zeros(len(rows), dtype=bool)
        for earlier in self.queries[: part.query]:
            of_query = np.isin(rows, np.array(earlier, dtype=np.int64)).sum(axis=1)
            held |= of_query == len(earlier)
        return rows[~held]


def combinations(n: int, k: int, first: int, last: int) -> IntArray:
    """`[last − first, k]` the sets of k of the numbers below n with these lexicographic ranks."""
    rank = np.arange(first, last, dtype=np.int64)
    out = np.empty((len(rank), k), dtype=np.int64)
    low = np.zeros(len(rank), dtype=np.int64)  # the least number that may come next
    for place in range(k):
        # Sets whose next number is below x: those of all remaining less those without them.
        left = k - place
        counts = np.array([math.comb(n - x, left) for x in range(n + 1)], dtype=np.int64)
        target = counts[low] - rank  # sets of numbers from the one sought on
        x = n - np.searchsorted(counts[::-1], target, side="left")
        rank = rank - (counts[low] - counts[x])
        out[:, place], low = x, x + 1
    return out
