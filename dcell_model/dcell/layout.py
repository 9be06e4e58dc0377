"""Where every subsystem's numbers lie in the flat parameters that all engines share.

Terms are placed stratum by stratum from the root down, and inside a stratum by width, then by
fan-in. Output neurons of all terms are rows in that order, so that a stratum is one slice of rows;
the terms of one stratum and width ("a group") have their weights side by side, as one matrix
`[inputs of all of them, width]`, in which the inputs of a term, of a child and of a gene are rows.
"""

import itertools
import math
import operator
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np

from data_specs.cell_graph import CellGraph, IntArray
from data_specs.parameters import Model as ModelConfig
from dcell_model.dcell.tokens import tokens_of

NORM_EPS, NORM_MOMENTUM = 1e-5, 0.1  # as in torch.nn.BatchNorm1d

T = TypeVar("T")


def widths(graph: CellGraph, config: ModelConfig) -> IntArray:
    """`[T]` output neurons: `max(width_min, ceil(width_ratio · genes))` (Ma et al. 2018).

    The product is exact: 0.3 · 10 is 3, not 3.0000000000000004.
    """
    return np.array(exact_widths(graph, config), dtype=np.int64)


def exact_widths(graph: CellGraph, config: ModelConfig) -> list[int]:
    """The same in Python's integers, which hold any width that a file may ask for."""
    # Genes are counted, whatever the number of their channels.
    direct = graph.genes_direct // max(1, len(graph.channels))
    counts = graph.genes_contained if config.width_genes == "contained" else direct
    ratio = Fraction(str(config.width_ratio))
    return [max(config.width_min, math.ceil(ratio * int(n))) for n in counts]


def tensor_shapes(
    graph: CellGraph, config: ModelConfig, phenotypes: int
) -> dict[str, tuple[int, ...]]:
    """The shapes of a DCell's parameters and statistics by name, however large, without making any.

    Args:
        graph: the hierarchy.
        config: widths and variants.
        phenotypes: P, the width of every head.
    """
    width = exact_widths(graph, config)
    direct, embedded = graph.genes_direct.tolist(), max(1, config.gene_embedding)
    rows = sum(width)
    shapes: dict[str, tuple[int, ...]] = {
        "child_weight": (sum(width[child] * width[parent] for child, parent in graph.edges),),
        "gene_weight": (embedded * sum(map(operator.mul, width, direct)),),
        "bias": (rows,),
        "head_weight": (rows, phenotypes),
        "head_bias": (graph.num_terms, phenotypes),
    }
    if config.layers == 2:
        shapes |= {"second_weight": (sum(own * own for own in width),), "second_bias": (rows,)}
    if config.gene_embedding:
        shapes["embedding"] = (graph.num_genes, embedded)
    if config.norm != "none":
        shapes |= {"norm_weight": (rows,), "norm_bias": (rows,)}
    if config.norm == "batch":
        shapes |= {"running_mean": (rows,), "running_var": (rows,)}
    if config.attention_heads:
        own = [tokens.widths for tokens in tokens_of(graph, config, width)]
        inputs, attention = sum(map(sum, own)), config.attention_width
        shapes["attention_in"] = (inputs, 3 * attention)
        shapes["attention_bias"] = (sum(map(len, own)), 3 * attention)
        shapes["attention_out"] = (inputs, attention)
    return shapes


@dataclass(frozen=True, slots=True)
class Bundle:
    """The terms of a group with `fan_in` child neurons each.

    Attributes:
        first: place of the first of the n terms among the group's; the others follow.
        child_rows: `[n, fan_in]` rows of the children's neurons, children in index order.
        first_input: row of the group's weights where the bundle's `n · fan_in` begin.
    """

    first: int
    child_rows: IntArray
    first_input: int

    @property
    def terms(self) -> int:
        """The number n of terms."""
        return len(self.child_rows)

    @property
    def fan_in(self) -> int:
        """Child neurons of each term."""
        return int(self.child_rows.shape[1])

    @property
    def own(self) -> slice:
        """The terms among the group's."""
        return slice(self.first, self.first + self.terms)

    @property
    def inputs(self) -> slice:
        """Their inputs among the rows of the group's weights."""
        return slice(self.first_input, self.first_input + self.child_rows.size)


@dataclass(frozen=True, slots=True)
class Group:
    """The terms of one stratum with `width` neurons each.

    Attributes:
        stratum: their stratum.
        terms: `[n]` term indices, in row order.
        width: neurons of each.
        rows: their neurons among all rows.
        child_weights: their part of the flat child weights, `[Σ fan_in, width]`.
        gene_weights: their part of the flat gene weights, `[Σ direct genes, width]`.
        second_weights: their part of the flat second-layer weights, `[n, width, width]`.
        genes: `[n + 1]` where each term's direct genes begin among the group's.
        bundles: the terms by fan-in.
    """

    stratum: int
    terms: IntArray
    width: int
    rows: slice
    child_weights: slice
    gene_weights: slice
    second_weights: slice
    genes: IntArray
    bundles: tuple[Bundle, ...]


class SubsystemLayout:
    """Rows, groups and offsets of the subsystems of one hierarchy.

    Attributes:
        widths: `[T]` neurons of every term.
        fan_in: `[T]` child neurons of every term.
        order: `[T]` terms in row order.
        first_row: `[T]` row of every term's first neuron.
        first_weight: `[T]` where a term's `[fan_in, out]` begin in the flat child weights.
        first_gene_weight: `[M]` where row m of the mutant state has its `[out]` weights in the
            flat gene weights; those of one term follow each other.
        tokens: `[T]` tokens of every term, none without attention.
        first_attention, first_attention_bias: `[T]` where a term's rows begin in the parameters
            of attention.
        groups: in row order.
        handle: the number by which operators, which take no objects, find the layout (`find`).
    """

    _by_handle: ClassVar[weakref.WeakValueDictionary[int, "SubsystemLayout"]] = (
        weakref.WeakValueDictionary()
    )
    _numbers: ClassVar = itertools.count()

    def __init__(self, graph: CellGraph, config: ModelConfig) -> None:
        self.graph, self.config = graph, config
        self.handle = next(self._numbers)
        self._by_handle[self.handle] = self
        self.widths = widths(graph, config)
        children: list[list[int]] = [[] for _ in range(graph.num_terms)]
        for child, parent in graph.edges:
            children[parent].append(int(child))
        self.children = [sorted(own) for own in children]
        self.fan_in = np.array([self.widths[own].sum() for own in self.children], dtype=np.int64)
        terms = np.arange(graph.num_terms)
        self.order = np.lexsort((terms, self.fan_in, self.widths, graph.strata))
        self.first_row = self._starts(self.widths)
        self.first_weight = self._starts(self.widths * self.fan_in)
        term = graph.annotations[:, 0]
        within = np.arange(len(term)) - np.searchsorted(term, term)
        first_of_term = self._starts(self.widths * graph.genes_direct)
        self.first_gene_weight = first_of_term[term] + within * self.widths[term]
        self.num_rows = int(self.widths.sum())
        self.num_child_weights = int((self.widths * self.fan_in).sum())
        self.num_gene_weights = int((self.widths * graph.genes_direct).sum())
        self.tokens = tokens_of(graph, config, self.widths.tolist())
        self.first_attention = self._starts(self.attention_inputs)
        self.first_attention_bias = self._starts(
            np.array([len(own.widths) for own in self.tokens], dtype=np.int64)
        )
        self.groups = list(self._form_groups())
        self._derived: dict[Any, Any] = {}

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """What is made of the layout under a key, made when it is first asked for."""
        if key not in self._derived:
            self._derived[key] = make()
        made: T = self._derived[key]
        return made

    @classmethod
    def find(cls, handle: int) -> "SubsystemLayout":
        """The living layout with this number."""
        return cls._by_handle[handle]

    def __deepcopy__(self, memo: dict[int, Any]) -> "SubsystemLayout":
        return self  # never changed after construction; a copied model shares it

    def __reduce__(self) -> tuple[Any, ...]:
        return SubsystemLayout, (self.graph, self.config)  # a handle is of one process only

    def _starts(self, sizes: IntArray) -> IntArray:
        """Where each term's part begins when the parts follow each other in row order."""
        ends = np.cumsum(sizes[self.order])
        starts = np.empty_like(sizes)
        starts[self.order] = ends - sizes[self.order]
        return starts

    def _form_groups(self) -> Iterator[Group]:
        first_gene = self._starts(self.widths * self.graph.genes_direct)
        first_second = self._starts(self.widths**2)
        for terms in _runs(self.order, self.graph.strata, self.widths):
            width = int(self.widths[terms[0]])
            genes = np.concatenate([[0], np.cumsum(self.graph.genes_direct[terms])])
            bundles, first, first_input = [], 0, 0
            for same in _runs(terms, self.fan_in):
                rows = np.array([self.child_rows(int(t)) for t in same], dtype=np.int64)
                bundles.append(Bundle(first, rows.reshape(len(same), -1), first_input))
                first, first_input = first + len(same), first_input + rows.size

            def part(starts: IntArray, length: int, term: int = int(terms[0])) -> slice:
                return slice(int(starts[term]), int(starts[term]) + length)

            yield Group(
                stratum=int(self.graph.strata[terms[0]]),
                terms=terms,
                width=width,
                rows=part(self.first_row, len(terms) * width),
                child_weights=part(self.first_weight, first_input * width),
                gene_weights=part(first_gene, int(genes[-1]) * width),
                second_weights=part(first_second, len(terms) * width**2),
                genes=genes,
                bundles=tuple(bundles),
            )

    def child_rows(self, term: int) -> IntArray:
        """`[fan_in]` rows of the neurons of a term's children, in index order."""
        parts = [self.first_row[c] + np.arange(self.widths[c]) for c in self.children[term]]
        return np.concatenate([np.empty(0, dtype=np.int64), *parts])

    @property
    def attention_inputs(self) -> IntArray:
        """`[T]` numbers in the distinct tokens of every term; 0 without attention."""
        return np.array([sum(own.widths) for own in self.tokens], dtype=np.int64)

    @cached_property
    def row_term(self) -> IntArray:
        """`[R]` the term of every row."""
        return np.repeat(self.order, self.widths[self.order])

    @cached_property
    def place(self) -> IntArray:
        """`[T]` where every term stands in row order."""
        return np.argsort(self.order)

    @cached_property
    def gene_weight_pair(self) -> IntArray:
        """The row m of the mutant state that each of the flat gene weights belongs to."""
        pairs = np.argsort(self.first_gene_weight)
        return np.repeat(pairs, self.widths[self.graph.annotations[pairs, 0]])

    def gene_rows(self, term: int) -> slice:
        """The rows m of the mutant state that belong to a term."""
        first, last = np.searchsorted(self.graph.annotations[:, 0], [term, term + 1])
        return slice(int(first), int(last))


def _runs(terms: IntArray, *keys: IntArray) -> list[IntArray]:
    """Cut `terms` wherever a key differs from the one before."""
    table = np.stack([key[terms] for key in keys], axis=1)
    return np.split(terms, np.flatnonzero(np.any(np.diff(table, axis=0) != 0, axis=1)) + 1)
