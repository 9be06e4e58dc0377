"""Differences along edges in Triton: one launch a stratum, for all its terms of any width.

The sums are those of `RunEdges`, without runs and padding: a program takes some entries of one term
and walks the term's edges in a fixed order, so that no atomics are needed and the result does not
depend on scheduling. For the children of a term (`collect`) the other end of an edge is found in a
table [T, B] of entries, where −1 says that the sample does not touch the child; an edge that no
entry of the program comes by is skipped. For gradients (`before`) the other end is the parent,
which every entry touches.

Products run in `dtype`, sums in the type of the tables.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

from data_specs.cell_graph import IntArray
from dcell_model.dcell.engines.walk import Walk
from dcell_model.dcell.engines.weights import Weights
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.ranks import Ranks

ENTRIES, INNER, OUTER = 32, 32, 32  # what one program takes of entries, summands and columns


@triton.jit
def _sum_over_edges(
    from_ptr, weight_ptr, to_ptr,
    tile_rank_ptr, tile_entry_ptr, starts_ptr, number_ptr, width_ptr, sample_ptr, entry_ptr,
    edge_start_ptr, edge_other_ptr, edge_weight_ptr, samples,
    TRANSPOSED: tl.constexpr, ADD: tl.constexpr, DTYPE: tl.constexpr, PRECISION: tl.constexpr,
    ENTRIES: tl.constexpr, INNER: tl.constexpr, OUTER: tl.constexpr,
):  # fmt: skip
    """`to[entry] (+)= Σ over edges of from[other entry] @ W`, for one tile of entries and columns.

    W is `[other width, own width]`, or the transpose of `[own width, other width]`.
    """
    tile = tl.program_id(0)
    rank = tl.load(tile_rank_ptr + tile)
    width = tl.load(width_ptr + rank)
    column = tl.program_id(1) * OUTER + tl.arange(0, OUTER)
    if tl.program_id(1) * OUTER < width:
        first = tl.load(starts_ptr + rank)
        entry = tl.load(tile_entry_ptr + tile) + tl.arange(0, ENTRIES)
        live = entry < tl.load(starts_ptr + rank + 1)
        sample = tl.load(sample_ptr + entry, mask=live, other=0)
        total = tl.zeros((ENTRIES, OUTER), dtype=to_ptr.dtype.element_ty)
        for edge in range(tl.load(edge_start_ptr + rank), tl.load(edge_start_ptr + rank + 1)):
            other = tl.load(edge_other_ptr + edge)
            found = tl.load(entry_ptr + other * samples + sample, mask=live, other=-1)
            touched = found >= 0
            if tl.max(touched.to(tl.int32), axis=0) > 0:
                inner_width = tl.load(width_ptr + other)
                row = tl.load(number_ptr + other)
                row += (found - tl.load(starts_ptr + other)) * inner_width
                weights = weight_ptr + tl.load(edge_weight_ptr + edge)
                for start in range(0, inner_width, INNER):
                    inner = start + tl.arange(0, INNER)
                    real = inner < inner_width
                    a = tl.load(
                        from_ptr + row[:, None] + inner[None, :],
                        mask=touched[:, None] & real[None, :], other=0.0,
                    )  # fmt: skip
                    if TRANSPOSED:
                        place = column[None, :] * inner_width + inner[:, None]
                    else:
                        place = inner[:, None] * width + column[None, :]
                    b = tl.load(
                        weights + place,
                        mask=real[:, None] & (column < width)[None, :], other=0.0,
                    )  # fmt: skip
                    total += tl.dot(
                        a.to(DTYPE), b.to(DTYPE), input_precision=PRECISION
                    ).to(total.dtype)  # fmt: skip
        to = to_ptr + tl.load(number_ptr + rank)
        to += (entry - first)[:, None] * width + column[None, :]
        mask = live[:, None] & (column < width)[None, :]
        if ADD:
            total += tl.load(to, mask=mask, other=0.0)
        tl.store(to, total, mask=mask)


@triton.jit
def _weight_gradients(
    D_ptr, grad_ptr, to_ptr,
    edge_child_ptr, edge_parent_ptr, edge_weight_ptr,
    starts_ptr, number_ptr, width_ptr, sample_ptr, entry_ptr, samples, first_edge,
    DTYPE: tl.constexpr, PRECISION: tl.constexpr,
    ENTRIES: tl.constexpr, INNER: tl.constexpr, OUTER: tl.constexpr,
):  # fmt: skip
    """`W[child neuron, parent neuron] += Σ over the child's entries of D · gradient of d`."""
    edge = first_edge + tl.program_id(0)
    child, parent = tl.load(edge_child_ptr + edge), tl.load(edge_parent_ptr + edge)
    child_width, width = tl.load(width_ptr + child), tl.load(width_ptr + parent)
    inner = tl.program_id(1) * INNER + tl.arange(0, INNER)
    column = tl.program_id(2) * OUTER + tl.arange(0, OUTER)
    if (tl.program_id(1) * INNER < child_width) & (tl.program_id(2) * OUTER < width):
        total = tl.zeros((INNER, OUTER), dtype=to_ptr.dtype.element_ty)
        first, end = tl.load(starts_ptr + child), tl.load(starts_ptr + child + 1)
        parent_first = tl.load(starts_ptr + parent)
        for start in range(first, end, ENTRIES):
            entry = start + tl.arange(0, ENTRIES)
            live = entry < end
            sample = tl.load(sample_ptr + entry, mask=live, other=0)
            to_parent = tl.load(entry_ptr + parent * samples + sample, mask=live, other=0)
            a = tl.load(
                D_ptr + tl.load(number_ptr + child)
                + (entry - first)[None, :] * child_width + inner[:, None],
                mask=live[None, :] & (inner < child_width)[:, None], other=0.0,
            )  # fmt: skip
            b = tl.load(
                grad_ptr + tl.load(number_ptr + parent)
                + (to_parent - parent_first)[:, None] * width + column[None, :],
                mask=live[:, None] & (column < width)[None, :], other=0.0,
            )  # fmt: skip
            total += tl.dot(a.to(DTYPE), b.to(DTYPE), input_precision=PRECISION).to(total.dtype)
        to = to_ptr + tl.load(edge_weight_ptr + edge)
        to += inner[:, None] * width + column[None, :]
        mask = (inner < child_width)[:, None] & (column < width)[None, :]
        tl.store(to, tl.load(to, mask=mask, other=0.0) + total, mask=mask)


@dataclass(frozen=True, slots=True)
class _EdgeTables:
    """The edges of a layout on a device, the same for all batches.

    Attributes:
        width: `[T]` by rank.
        below, above: edges to the children and to the parents of each rank: where they begin
            `[T + 1]`, the rank at the other end, and where the weights begin in the flat child
            weights.
        edges: child, parent and weights of all edges, by the parents' strata.
        strata: slice of these edges, by stratum.
        terms: ranks of the terms, by stratum.
        widest: largest width of the terms and of their children, by stratum.
    """

    width: Tensor
    below: tuple[Tensor, Tensor, Tensor]
    above: tuple[Tensor, Tensor, Tensor]
    edges: tuple[Tensor, Tensor, Tensor]
    strata: list[slice]
    terms: list[IntArray]
    widest: list[tuple[int, int]]

    @classmethod
    def of(cls, layout: SubsystemLayout, device: torch.device) -> "_EdgeTables":
        return layout.once((cls, device), lambda: cls._make(layout, device))

    @classmethod
    def _make(cls, layout: SubsystemLayout, device: torch.device) -> "_EdgeTables":
        ranks = Ranks.of(layout)
        child, parent = ranks.edge_child, ranks.edge_parent
        width, stratum = layout.widths[ranks.terms], layout.graph.strata[ranks.terms]
        group_first = np.array([group.child_weights.start for group in layout.groups])
        weight = group_first[ranks.group_of_rank[parent]] + ranks.edge_input * width[parent]
        numbers = np.arange(layout.graph.num_strata + 1)

        def tensors(*columns: IntArray) -> Any:
            return tuple(torch.tensor(column, device=device) for column in columns)

        def by(key: IntArray, other: IntArray) -> Any:
            order = np.lexsort((other, key))
            starts = np.searchsorted(key[order], np.arange(len(width) + 1))
            return tensors(starts, other[order], weight[order])

        order = np.lexsort((child, parent, stratum[parent]))
        bounds = np.searchsorted(stratum[parent][order], numbers).tolist()
        strata = [slice(a, b) for a, b in itertools.pairwise(bounds)]
        terms = [np.flatnonzero(stratum == number) for number in numbers[:-1]]
        return cls(
            width=torch.tensor(width, device=device),
            below=by(parent, child),
            above=by(child, parent),
            edges=tensors(child[order], parent[order], weight[order]),
            strata=strata,
            terms=terms,
            widest=[
                (int(width[own].max()), int(width[child[order[edges]]].max(initial=0)))
                for own, edges in zip(terms, strata, strict=True)
            ],
        )


class KernelEdges:
    """`engines.edges.Edges` in Triton."""

    def __init__(self, walk: Walk, samples: int, dtype: torch.dtype) -> None:
        device = walk.at.rank.device
        self.walk, self.samples = walk, samples
        self.tables = _EdgeTables.of(walk.layout, device)
        self.options = {
            "DTYPE": {torch.bfloat16: tl.bfloat16, torch.float16: tl.float16,
                      torch.float32: tl.float32, torch.float64: tl.float64}[dtype],
            "PRECISION": "tf32" if torch.backends.cuda.matmul.allow_tf32 else "ieee",
            "ENTRIES": ENTRIES, "INNER": INNER, "OUTER": OUTER,
        }  # fmt: skip
        at, begin = walk.at, np.array(walk.begin)
        self.entry_of = torch.full(
            (walk.layout.graph.num_terms * samples,), -1, dtype=torch.int64, device=device
        )
        self.entry_of[at.rank * samples + at.sample] = torch.arange(len(at.rank), device=device)
        # Where the numbers of each rank's entries begin in the flat tables (see `Walk.tables`).
        number = np.empty(len(begin) - 1, dtype=np.int64)
        before = 0
        for own, (rows, width) in zip(walk.ranks.classes, walk.sizes, strict=True):
            number[own] = before + (begin[own] - begin[own.start]) * width
            before += (rows + 1) * width
        self.number = torch.tensor(number, device=device)
        self.tiles = [self._tiles(begin, terms) for terms in self.tables.terms]

    def _tiles(self, begin: IntArray, ranks: IntArray) -> tuple[Tensor, Tensor]:
        """Rank and first entry of every tile of a stratum."""
        tiles = -(-(begin[ranks + 1] - begin[ranks]) // ENTRIES)
        rank = np.repeat(ranks, tiles)
        within = np.arange(len(rank)) - np.repeat(np.cumsum(tiles) - tiles, tiles)
        device = self.number.device
        return (torch.tensor(rank, device=device),
                torch.tensor(begin[rank] + within * ENTRIES, device=device))  # fmt: skip

    def collect(self, stratum: int, own: Weights, D_flat: Tensor, d_flat: Tensor) -> None:
        """See `Edges`."""
        self._sum(stratum, own, D_flat, d_flat, self.tables.below, transposed=False)

    def before(self, stratum: int, own: Weights, grad_d: Tensor, grad_D: Tensor) -> None:
        """See `Edges`."""
        self._sum(stratum, own, grad_d, grad_D, self.tables.above, transposed=True)

    def _sum(
        self,
        stratum: int,
        own: Weights,
        source: Tensor,
        to: Tensor,
        edges: tuple[Tensor, Tensor, Tensor],
        transposed: bool,
    ) -> None:
        rank, entry = self.tiles[stratum]
        if len(rank):
            grid = (len(rank), triton.cdiv(self.tables.widest[stratum][0], OUTER))
            _sum_over_edges[grid](
                source, own.child, to, rank, entry, self.walk.at.starts, self.number,
                self.tables.width, self.walk.at.sample, self.entry_of, *edges, self.samples,
                TRANSPOSED=transposed, ADD=transposed, **self.options,
            )  # fmt: skip

    def after(
        self, stratum: int, own: Weights, out: Weights, tables: tuple[Tensor, Tensor, Tensor]
    ) -> None:
        """See `Edges`."""
        D, grad_d, _ = tables
        edges = self.tables.strata[stratum]
        if edges.stop > edges.start:
            width, child_width = self.tables.widest[stratum]
            grid = (
                edges.stop - edges.start,
                triton.cdiv(child_width, INNER),
                triton.cdiv(width, OUTER),
            )
            _weight_gradients[grid](
                D, grad_d, out.child, *self.tables.edges, self.walk.at.starts, self.number,
                self.tables.width, self.walk.at.sample, self.entry_of, self.samples, edges.start,
                **self.options,
            )  # fmt: skip
