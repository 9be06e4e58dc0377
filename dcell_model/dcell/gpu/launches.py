"""All launches of a pass over columns, in their order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from dcell_model.dcell.engines.weights import Weights
from dcell_model.dcell.gpu import backward_kernels, forward_kernels
from dcell_model.dcell.gpu.plan import ROWS, Plan, Sizes
from dcell_model.dcell.gpu.tables import GENES, INNER, NEURONS, OUTER, Hierarchy, Tables
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.native.interface import ACTIVATIONS

# Rows of a term that a program takes at a time, in batches with few and with many rows a term, by
# so many warps; and listed rows that it fetches together: of columns, and of the wild type, which
# has one for each child. On an H200 a program with fewer rows or warps waits longer for memory.
FEW_ROWS, MANY_ROWS, TERM_WARPS, AT_ONCE, WILD_AT_ONCE = 64, 128, 8, 4, 64
_TYPES = {
    torch.bfloat16: tl.bfloat16, torch.float16: tl.float16, torch.float32: tl.float32,
    torch.float64: tl.float64,
}  # fmt: skip


def _launch(kernel: Any, programs: tuple[int, ...], *arguments: Any, **options: Any) -> None:
    """Launch a kernel, unless there is nothing to do; products and sums may be fused."""
    if programs[0]:
        kernel[programs](*arguments, enable_fp_fusion=True, **options)


def rows_at_once(rows: float) -> int:
    """How many rows of a term a program takes at a time, where terms have so many on average."""
    return MANY_ROWS if rows > FEW_ROWS else FEW_ROWS


@dataclass(frozen=True, slots=True)
class Options:
    """How a pass runs.

    Attributes:
        training: whether batch norm measures the batch.
        known: whether the wild type's pre-activations are given.
        product: type of the factors of matrix products; sums have that of the weights.
        tf32: whether products of float32 may be rounded to 10 bits of fraction.
    """

    training: bool
    known: bool
    product: torch.dtype
    tf32: bool


class Launches:
    """The launches over one batch.

    Args:
        layout: the hierarchy; one layer a term, batch norm or none.
        options: how.
        weights: the parameters; in training mean and variance of the batch are put in place.
        packed: the two tensors of a plan.
        room: its sizes.
    """

    def __init__(
        self,
        layout: SubsystemLayout,
        options: Options,
        weights: Weights,
        packed: tuple[Tensor, Tensor],
        room: Sizes,
    ) -> None:
        self.own, self.room = weights, room
        device = weights.bias.device
        self.at = Tables.of(layout, device)
        self.plan = Plan.unpacked(packed, room, Hierarchy.of(layout))
        self.phenotypes, self.numbers = weights.head.shape[1], layout.num_rows
        config = layout.config
        self.state = config.gene_input == "state"
        self.known = options.known
        self.product = {
            "PRODUCT": _TYPES[options.product],
            "PRECISION": "tf32" if options.tf32 else "ieee",
            "ROWS": ROWS, "INNER": INNER, "OUTER": OUTER,
        }  # fmt: skip
        self.term = {
            "ACT": ACTIVATIONS[config.activation],
            "KEEPS_OUTPUT": config.activation != "gelu",
            "BATCH_NORM": config.norm == "batch",
            "NORM_FIRST": config.norm_order == "norm_act",
            "TRAINING": options.training,
            "NEURONS": NEURONS,
            "ROWS": rows_at_once(room.rows / len(self.at.term)),
            "num_warps": TERM_WARPS,
        }  # fmt: skip

    def _new(self, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        return self.own.bias.new_empty(shape, dtype=dtype)

    def _tiles(self, table: Tensor, lengths: tuple[int, ...]) -> Iterator[tuple[Tensor, ...]]:
        """The tiles of every stratum."""
        for part in table.split(lengths, dim=1):
            yield tuple(part)

    def forward(self, known: Tensor) -> list[Tensor]:
        """What `engines.columns_pass` gives; heads have room for R columns."""
        own, at, plan = self.own, self.at, self.plan
        D, X = self._new(self.room.numbers), self._new(self.room.numbers)
        places = self._new(self.room.products)
        moments = self._new(2, self.numbers, dtype=torch.float64)
        wild = torch.empty_like(own.head_bias)
        difference = self._new(self.room.rows, self.phenotypes)
        first = known.clone() if self.known else torch.empty_like(own.bias)
        if not self.known:
            _launch(
                forward_kernels.wild_type_genes, (len(at.term_tiles[0]),),
                own.gene, own.bias, first, *at.term_tiles, at.width, at.row, at.first_gene, at.pair,
                STATE=self.state, NEURONS=NEURONS, GENES=GENES,
            )  # fmt: skip
        tiles = list(self._tiles(plan.edge_tile, self.room.edge_tiles))
        for stratum in reversed(range(len(tiles))):
            _launch(
                forward_kernels.products_of_edges, (len(tiles[stratum][0]),),
                D, own.child, places, *tiles[stratum], at.child, at.parent, at.weight, at.width,
                plan.row_start, plan.number, plan.product, **self.product,
            )  # fmt: skip
            terms = at.strata[stratum]
            _launch(
                forward_kernels.outputs_of_terms, (len(terms[0]),),
                places, own.gene, first, own.norm, own.norm_bias, own.mean, own.var, moments, X, D,
                *terms, at.width, at.row, at.down, at.first_gene, plan.samples, plan.row_start,
                plan.shared, plan.link_start, plan.link_place, plan.change_start, plan.change_gene,
                plan.number, plan.product, self.numbers,
                KNOWN=self.known, STATE=self.state, AT_ONCE=AT_ONCE, WILD_AT_ONCE=WILD_AT_ONCE,
                **self.term,
            )  # fmt: skip
        _launch(
            forward_kernels.heads_of_rows, (plan.row_tile.shape[1], self.phenotypes),
            D, own.head, own.head_bias, wild, difference, *plan.row_tile, at.width, at.row, at.term,
            plan.row_start, plan.number, self.phenotypes, ROWS=ROWS, INNER=INNER,
        )  # fmt: skip
        return [wild, difference, own.mean, own.var, first, moments, D, X]

    def backward(
        self, grad_wild: Tensor, grad_difference: Tensor, saved: tuple[Tensor, ...]
    ) -> list[Tensor]:
        """Gradients of all weights, in their order."""
        own, at, plan = self.own, self.at, self.plan
        first, moments, D, X = saved
        out = own.empty_like()
        out.head_bias = grad_wild.clone()
        gradient = torch.empty_like(D)  # of D, then of pre-activations, in place
        carried = self._new(self.room.products)
        edges = list(self._tiles(plan.edge_tile, self.room.edge_tiles))
        rows = list(self._tiles(plan.row_tile, self.room.row_tiles))
        for stratum, (of_edges, of_rows) in enumerate(zip(edges, rows, strict=True)):
            _launch(
                backward_kernels.gradients_of_rows, (len(of_rows[0]),),
                carried, own.child, own.head, grad_wild, grad_difference, gradient, *of_rows,
                at.width, at.row, at.term, at.up, at.up_edge, at.parent, at.weight, plan.row_start,
                plan.number, plan.product, self.phenotypes, **self.product,
            )  # fmt: skip
            terms = at.strata[stratum]
            _launch(
                backward_kernels.gradients_of_terms, (len(terms[0]),),
                gradient, first, own.norm, own.mean, own.var, moments, own.norm_bias, X, D,
                out.bias, out.norm, out.norm_bias, *terms, at.width, at.row, plan.samples,
                plan.row_start, plan.shared, plan.number, self.numbers, **self.term,
            )  # fmt: skip
            _launch(
                backward_kernels.pull_along_edges, (len(of_edges[0]),),
                gradient, carried, *of_edges, at.parent, at.width, plan.first_place,
                plan.pull_start, plan.pull_row, plan.number, plan.product,
                ROWS=ROWS, OUTER=OUTER, AT_ONCE=AT_ONCE, num_warps=8,
            )  # fmt: skip
        _launch(
            backward_kernels.gradients_of_edges, (len(at.weight_tiles[0]),),
            D, carried, out.child, *at.weight_tiles, at.child, at.parent, at.weight, at.width,
            plan.row_start, plan.number, plan.product, **self.product,
        )  # fmt: skip
        _launch(
            backward_kernels.gradients_of_genes, (len(at.gene_tiles[0]),),
            gradient, out.gene, *at.gene_tiles, at.width, at.first_gene, at.pair,
            plan.row_start, plan.pair_start, plan.pair_row, plan.number,
            STATE=self.state, GENES=GENES, OUTER=OUTER, AT_ONCE=AT_ONCE,
        )  # fmt: skip
        _launch(
            backward_kernels.gradients_of_heads, (len(at.term_tiles[0]), self.phenotypes),
            D, grad_wild, grad_difference, out.head, *at.term_tiles, at.width, at.row, at.term,
            plan.row_start, plan.number, self.phenotypes, NEURONS=NEURONS, ROWS=FEW_ROWS,
        )  # fmt: skip
        return out.to_list()
