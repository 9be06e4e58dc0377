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
from dcell_model.dcell.native import NativeHierarchy

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
        graph, every = layout.graph, np.arange(layout.graph.num_terms + 1)
        native = NativeHierarchy.of(layout)  # whose plans name terms and edges
        of = {name: array.astype(np.int64) for name, array in native.arrays.items()}
        child, parent = of["edge_child"][of["down"]], of["edge_parent"][of["down"]]
        up_edge = np.argsort(child, kind="stable")
        return cls(
            terms=of["term"],
            width=of["width"],
            row=of["row"],
            stratum=of["stratum"],
            child=child,
            parent=parent,
            weight=of["edge_weight"][of["down"]],
            down=of["edges_down"],
            up=np.searchsorted(child[up_edge], every),
            up_edge=up_edge,
            first_gene=of["first_gene"],
            pair=np.concatenate([[0], np.cumsum(of["direct_genes"])]),
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
