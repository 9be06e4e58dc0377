"""Where every subsystem's numbers lie in the flat parameters that all engines share.

Output neurons of all terms are rows, one stratum after the other from the root down, and inside a
stratum terms of equal shape side by side ("a group"), so that a stratum is one slice of rows and a
group is one view `[n, out, in]` of the weights.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from data_specs.cell_graph import CellGraph, IntArray
from data_specs.parameters import Model as ModelConfig

NORM_EPS, NORM_MOMENTUM = 1e-5, 0.1  # as in torch.nn.BatchNorm1d


def widths(graph: CellGraph, config: ModelConfig) -> IntArray:
    """`[T]` output neurons: `max(width_min, ceil(width_ratio · genes))` (Ma et al. 2018).

    The product is exact: 0.3 · 10 is 3, not 3.0000000000000004.
    """
    counts = graph.genes_contained if config.width_genes == "contained" else graph.genes_direct
    ratio = Fraction(str(config.width_ratio))
    return np.array([max(config.width_min, math.ceil(ratio * int(n))) for n in counts])


@dataclass(frozen=True, slots=True)
class Group:
    """Terms of one stratum with `out` neurons and `fan_in` child neurons each.

    Attributes:
        terms: `[n]` term indices.
        first_row: row of the first neuron of the first term; the others follow.
        child_rows: `[n, fan_in]` rows of the children's neurons, children in index order.
        first_weight: where the group's `[n, out, fan_in]` begin in the flat child weights.
    """

    terms: IntArray
    out: int
    fan_in: int
    first_row: int
    child_rows: IntArray
    first_weight: int

    @property
    def rows(self) -> int:
        """Neurons of all the group's terms."""
        return len(self.terms) * self.out


class SubsystemLayout:
    """Rows, groups and offsets of the subsystems of one hierarchy.

    Attributes:
        widths: `[T]` neurons of every term.
        first_row: `[T]` row of every term's first neuron.
        first_weight: `[T]` where a term's `[out, fan_in]` begin in the flat child weights.
        first_gene_weight: `[M]` where row m of the mutant state has its `[out]` column of weights
            in the flat gene weights; columns of one term follow each other.
        strata: the groups of every stratum, index = stratum.
    """

    def __init__(self, graph: CellGraph, config: ModelConfig) -> None:
        self.graph = graph
        self.widths = widths(graph, config)
        children: list[list[int]] = [[] for _ in range(graph.num_terms)]
        for child, parent in graph.edges:
            children[parent].append(int(child))
        self.children = [sorted(own) for own in children]
        self.fan_in = np.array([self.widths[own].sum() for own in self.children], dtype=np.int64)
        self._place_terms()
        self._form_groups()
        columns = self.widths[graph.annotations[:, 0]]
        self.first_gene_weight = np.cumsum(columns) - columns
        self.num_gene_weights = int(columns.sum())

    def _place_terms(self) -> None:
        terms = np.arange(self.graph.num_terms)
        self.order = np.lexsort((terms, self.fan_in, self.widths, self.graph.strata))
        self.first_row = self._starts(self.widths)
        self.first_weight = self._starts(self.widths * self.fan_in)
        self.num_rows = int(self.widths.sum())
        self.num_child_weights = int((self.widths * self.fan_in).sum())

    def _starts(self, sizes: IntArray) -> IntArray:
        """Where each term's part begins when the parts follow each other in row order."""
        ends = np.cumsum(sizes[self.order])
        starts = np.empty_like(sizes)
        starts[self.order] = ends - sizes[self.order]
        return starts

    def _form_groups(self) -> None:
        shape = np.stack([self.graph.strata, self.widths, self.fan_in], axis=1)[self.order]
        new = np.flatnonzero(np.any(np.diff(shape, axis=0) != 0, axis=1)) + 1
        self.strata: list[list[Group]] = [[] for _ in range(self.graph.num_strata)]
        for terms in np.split(self.order, new):
            first = int(terms[0])
            group = Group(
                terms=terms,
                out=int(self.widths[first]),
                fan_in=int(self.fan_in[first]),
                first_row=int(self.first_row[first]),
                child_rows=np.array([self.child_rows(int(t)) for t in terms], dtype=np.int64),
                first_weight=int(self.first_weight[first]),
            )
            self.strata[self.graph.strata[first]].append(group)

    def child_rows(self, term: int) -> IntArray:
        """`[fan_in]` rows of the neurons of a term's children, in index order."""
        parts = [self.first_row[c] + np.arange(self.widths[c]) for c in self.children[term]]
        return np.concatenate([np.empty(0, dtype=np.int64), *parts])

    @cached_property
    def row_term(self) -> IntArray:
        """`[R]` the term of every row."""
        return np.repeat(self.order, self.widths[self.order])

    @cached_property
    def gene_weight_row(self) -> IntArray:
        """The row that each of the flat gene weights feeds."""
        term = self.graph.annotations[:, 0]
        lengths = self.widths[term]
        within = np.arange(self.num_gene_weights) - np.repeat(self.first_gene_weight, lengths)
        return np.repeat(self.first_row[term], lengths) + within

    @cached_property
    def stratum_rows(self) -> list[int]:
        """Rows of every stratum, index = stratum."""
        return [sum(group.rows for group in groups) for groups in self.strata]

    def groups(self) -> Iterator[Group]:
        """All groups in row order."""
        for groups in self.strata:
            yield from groups

    def gene_rows(self, term: int) -> slice:
        """The rows m of the mutant state that belong to a term."""
        first, last = np.searchsorted(self.graph.annotations[:, 0], [term, term + 1])
        return slice(int(first), int(last))
