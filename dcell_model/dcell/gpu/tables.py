"""A hierarchy as the kernels of a GPU take it: the same for all batches.

Terms are named by rank (`dcell.ranks`). Edges are sorted by parent, then by where their weights
begin, so that the edges into a term follow each other. A tile is what one program of a kernel does
that needs no batch to be known: rows of the tile tables, stratum by stratum where strata wait for
each other.

Shapes: T terms, E edges, M pairs of a term and a direct gene.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data_specs.cell_graph import IntArray
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.ranks import Ranks

# What one program takes: neurons of a term's activation and norm; neurons and summands of a matrix
# product, whose sides are powers of two from 16 on; genes whose gradients it collects.
NEURONS, OUTER, INNER, GENES = 16, 32, 32, 32


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Arrays of a layout, int64 on the CPU, of which plans are made.

    Attributes:
        terms, width: `[T]` index and neurons of every rank.
        row: `[T]` first neuron among all rows.
        stratum: `[T]` of every rank.
        child, parent: `[E]` ranks.
        weight: `[E]` first of the edge's `[child width, width]` flat child weights.
        down: `[T + 1]` where the edges into each rank begin.
        up: `[T + 1]` where the edges out of each rank begin in `up_edge`, `[E]`.
        first_gene: `[T]` first of the term's flat gene weights.
        pair: `[T + 1]` where the pairs of each rank begin; they are in the order of its weights.
        strata: how many there are.
    """

    terms: IntArray
    width: IntArray
    row: IntArray
    stratum: IntArray
    child: IntArray
    parent: IntArray
    weight: IntArray
    down: IntArray
    up: IntArray
    up_edge: IntArray
    first_gene: IntArray
    pair: IntArray
    strata: int

    @classmethod
    def of(cls, layout: SubsystemLayout) -> "Hierarchy":
        """That of a layout, made once."""
        return layout.once(cls, lambda: cls._make(layout))

    @classmethod
    def _make(cls, layout: SubsystemLayout) -> "Hierarchy":
        graph, ranks = layout.graph, Ranks.of(layout)
        terms, every = ranks.terms, np.arange(graph.num_terms + 1)
        width = layout.widths[terms]
        native = np.lexsort((ranks.edge_parent, ranks.edge_child))
        child, parent = ranks.edge_child[native], ranks.edge_parent[native]
        group_first = np.array([g.child_weights.start for g in layout.groups], dtype=np.int64)
        weight = group_first[ranks.group_of_rank[parent]] + ranks.edge_input[native] * width[parent]
        order = np.lexsort((weight, parent))
        child, parent = child[order], parent[order]
        up_edge = np.argsort(child, kind="stable")
        first_gene = np.zeros(graph.num_terms, dtype=np.int64)
        direct = graph.genes_direct[terms]
        first_pair = np.searchsorted(graph.annotations[:, 0], terms)
        first_gene[direct > 0] = layout.first_gene_weight[first_pair[direct > 0]]
        return cls(
            terms=terms,
            width=width,
            row=layout.first_row[terms],
            stratum=graph.strata[terms],
            child=child,
            parent=parent,
            weight=weight[order],
            down=np.searchsorted(parent, every),
            up=np.searchsorted(child[up_edge], every),
            up_edge=up_edge,
            first_gene=first_gene,
            pair=np.concatenate([[0], np.cumsum(direct)]),
            strata=graph.num_strata,
        )


@dataclass(frozen=True, slots=True)
class Tables:
    """The hierarchy's arrays on a device, int64 where they are places of numbers, else int32.

    Attributes:
        term, width, row, child, parent, weight, down, up, up_edge, first_gene, pair: see
            `Hierarchy`.
        term_tiles: rank and first neuron.
        strata: the term tiles of every stratum, in tensors of their own.
        gene_tiles: rank, first gene and first neuron.
        weight_tiles: edge, first neuron of the child and of the parent.
    """

    term: Tensor
    width: Tensor
    row: Tensor
    child: Tensor
    parent: Tensor
    weight: Tensor
    down: Tensor
    up: Tensor
    up_edge: Tensor
    first_gene: Tensor
    pair: Tensor
    term_tiles: tuple[Tensor, ...]
    strata: list[tuple[Tensor, ...]]
    gene_tiles: tuple[Tensor, ...]
    weight_tiles: tuple[Tensor, ...]

    @classmethod
    def of(cls, layout: SubsystemLayout, device: torch.device) -> "Tables":
        """Those of a layout, made once a device."""
        return layout.once((cls, device), lambda: cls._make(Hierarchy.of(layout), device))

    @classmethod
    def _make(cls, own: Hierarchy, device: torch.device) -> "Tables":
        def int32(values: IntArray) -> Tensor:
            return torch.tensor(values.astype(np.int32), device=device)

        def int64(values: IntArray) -> Tensor:
            return torch.tensor(values, device=device)

        by_stratum = np.lexsort((np.arange(len(own.width)), own.stratum))
        rank, neuron = tiles(by_stratum, own.width[by_stratum], NEURONS)
        bounds = np.searchsorted(own.stratum[rank], np.arange(own.strata + 1)).tolist()
        every = np.arange(len(own.width))
        gene_rank, gene = tiles(every, np.diff(own.pair), GENES)
        which, gene_neuron = tiles(np.arange(len(gene_rank)), own.width[gene_rank], OUTER)
        edge, inner = tiles(np.arange(len(own.child)), own.width[own.child], INNER)
        block, outer = tiles(np.arange(len(edge)), own.width[own.parent[edge]], OUTER)
        return cls(
            term=int32(own.terms),
            width=int32(own.width),
            row=int64(own.row),
            child=int32(own.child),
            parent=int32(own.parent),
            weight=int64(own.weight),
            down=int32(own.down),
            up=int32(own.up),
            up_edge=int32(own.up_edge),
            first_gene=int64(own.first_gene),
            pair=int32(own.pair),
            term_tiles=(int32(rank), int32(neuron)),
            strata=[(int32(rank[a:b]), int32(neuron[a:b])) for a, b in itertools.pairwise(bounds)],
            gene_tiles=(int32(gene_rank[which]), int32(gene[which]), int32(gene_neuron)),
            weight_tiles=(int32(edge[block]), int32(inner[block]), int32(outer)),
        )


def tiles(names: IntArray, sizes: IntArray, step: int) -> tuple[IntArray, IntArray]:
    """Cut `sizes[i]` things of each name into tiles of `step`: name and first thing of each."""
    counts = -(-sizes // step)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(names, counts), within * step
