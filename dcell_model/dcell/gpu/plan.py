"""What a batch's columns are to the kernels of a GPU: rows, places, and who sums what.

The rows of a term are its columns and, after them, the wild type. The place (e, q) of an edge e
from child c holds the product of the child's row q and the edge's weights. A term's row is the sum
of its places that its links name; the wild type's is that of its children's wild types. Gradients
go back by the same links, sorted the other way. Both are sums of listed rows: no program writes
what another one writes, and sums have one order.

Arrays are padded to sizes on a ladder, so that many batches share one shape and one recording of
all launches. Programs without work find edge or rank −1.

Shapes: T terms, E edges, C columns, R rows (C + T), Q places, L links (those of the wild types
included), X changes, M pairs of a term and a direct gene.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dcell_model.dcell.columns import FoundColumns
from dcell_model.dcell.gpu.tables import OUTER, Hierarchy
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.native import NativeHierarchy, Tiling

ROWS = 64  # what one program takes of the rows of a matrix product
_TILING = Tiling(ROWS, OUTER)
_BEFORE_TILES = 6  # numbers of `Sizes`
STEP = 1.25  # from one size of the ladder to the next
_ALIGNED = 4  # int32 in 16 bytes


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a plan is, or how much room a padded one has.

    Attributes:
        rows, places, links, changes: R, Q, L and X.
        numbers: of a table with all terms' rows.
        products: numbers of all places.
        edge_tiles: matrix products of the edges into the terms of each stratum.
        row_tiles: those of gradients, by the terms' stratum.
    """

    rows: int
    places: int
    links: int
    changes: int
    numbers: int
    products: int
    edge_tiles: tuple[int, ...]
    row_tiles: tuple[int, ...]

    def to_list(self) -> list[int]:
        """All numbers, one after the other."""
        *numbers, edge_tiles, row_tiles = astuple(self)
        return [*numbers, *edge_tiles, *row_tiles]

    @classmethod
    def of(cls, numbers: Sequence[int]) -> "Sizes":
        """The sizes of `to_list`."""
        rows, places, links, changes, of_table, products, *of_strata = numbers
        strata = len(of_strata) // 2
        edge_tiles, row_tiles = tuple(of_strata[:strata]), tuple(of_strata[strata:])
        return cls(rows, places, links, changes, of_table, products, edge_tiles, row_tiles)

    def fits(self, room: "Sizes") -> bool:
        """Whether a plan of these sizes can be padded to `room`."""
        return all(a <= b for a, b in zip(self.to_list(), room.to_list(), strict=True))

    def padded(self) -> "Sizes":
        """Each size with a tenth more, on the ladder."""
        return self.of([_on_ladder(size + size // 10 + 4) for size in self.to_list()])

    def joined(self, other: "Sizes") -> "Sizes":
        """The larger of both, size by size."""
        return self.of([max(pair) for pair in zip(self.to_list(), other.to_list(), strict=True)])


def _on_ladder(size: int) -> int:
    step = int(np.ceil(np.log(max(size, 1)) / np.log(STEP)))
    return _aligned(max(size, int(np.ceil(STEP**step))))


def _aligned(length: int) -> int:
    """Triton makes another kernel for each pattern of arguments that do not lie at 16 bytes."""
    return -(-length // _ALIGNED) * _ALIGNED


@dataclass(frozen=True, slots=True)
class Plan:
    """The arrays of a plan: int32, but int64 in the last two; see the module.

    Attributes:
        samples: `[1]` B.
        row_start: `[T + 1]` rows of each rank.
        shared: `[R]` samples that share a row; of the wild type those without a column.
        link_start: `[R + 1]`, with `link_place`, `[L]`, counted from the first place of the term's
            edges: the places that a row sums.
        pull_start: `[Q + 1]`, with `pull_row`, `[L]`, counted from the first row of the edge's
            parent: the rows that sum a place.
        change_start: `[R + 1]`, with `change_gene`, `[X]`: which of the term's direct genes are
            deleted in a row.
        pair_start: `[M + 1]`, with `pair_row`, `[X]`: the rows in which a direct gene is deleted.
        first_place: `[E + 1]` places of each edge.
        edge_tile: `[3, .]` edge, row and neuron of the parent, by the parent's stratum.
        row_tile: `[3, .]` rank, row and neuron, by stratum.
        number: `[T]` where the numbers of each rank's rows begin in a table.
        product: `[E + 1]` where the numbers of each edge's places begin.
    """

    samples: Tensor
    row_start: Tensor
    shared: Tensor
    link_start: Tensor
    link_place: Tensor
    pull_start: Tensor
    pull_row: Tensor
    change_start: Tensor
    change_gene: Tensor
    pair_start: Tensor
    pair_row: Tensor
    first_place: Tensor
    edge_tile: Tensor
    row_tile: Tensor
    number: Tensor
    product: Tensor

    @classmethod
    def lengths(cls, room: Sizes, terms: int, edges: int, pairs: int) -> list[int]:
        """The length of every array in a plan with so much room, in whole steps of 16 bytes."""
        return [_aligned(length) for length in (
            1, terms + 1, room.rows, room.rows + 1, room.links, room.places + 1, room.links,
            room.rows + 1, room.changes, pairs + 1, room.changes, edges + 1,
            3 * sum(room.edge_tiles), 3 * sum(room.row_tiles), terms, edges + 1,
        )]  # fmt: skip

    @classmethod
    def unpacked(cls, packed: Sequence[Tensor], room: Sizes, own: Hierarchy) -> "Plan":
        """Views of the first two tensors of `Planned.pack`."""
        lengths = cls.lengths(room, len(own.width), len(own.child), int(own.pair[-1]))
        narrow, wide = packed
        views = [*narrow.split(lengths[:-2]), *wide.split(lengths[-2:])]
        tiles = zip(views[12:14], (room.edge_tiles, room.row_tiles), strict=True)
        tables = [view[: 3 * sum(lengths)].view(3, -1) for view, lengths in tiles]
        return cls(*views[:12], *tables, *views[14:])


class Planned:
    """A plan of columns that are in the memory of the native library, as long as they are there.

    Attributes:
        sizes: of the plan, before it is padded.
    """

    def __init__(self, layout: SubsystemLayout, found: FoundColumns, samples: int) -> None:
        self._own, self._native = Hierarchy.of(layout), NativeHierarchy.of(layout)
        self._found, self._samples = found, samples
        sizes = (ctypes.c_int64 * (_BEFORE_TILES + 2 * self._own.strata))()
        found.library.dcell_size_plan(self._native.address, found.handle, _TILING, sizes)
        self.sizes = Sizes.of(list(sizes))

    def pack(self, room: Sizes, *, pinned: bool = False) -> list[Tensor]:
        """The plan padded to `room`, and what `ColumnHeads` needs, on the CPU.

        Args:
            room: with at least the plan's sizes.
            pinned: whether to take page-locked memory, from which copies need not wait.

        Returns:
            All arrays of `Plan`, int32 in one tensor and int64 in another; then `[C]` int64 terms
            and `[C]` int32 multiplicities of the columns, and `[N]` int32 samples and columns.

        Raises:
            MemoryError: there is no room for the lists of a term.
        """
        own = self._own
        lengths = Plan.lengths(room, len(own.width), len(own.child), int(own.pair[-1]))
        columns, entries, *_ = self._found.sizes

        def tensor(length: int, dtype: torch.dtype = torch.int32) -> Tensor:
            return torch.empty(length, dtype=dtype, pin_memory=pinned)

        tensors = [
            tensor(sum(lengths[:-2])), tensor(sum(lengths[-2:]), torch.int64),
            tensor(columns, torch.int64), tensor(columns), tensor(entries), tensor(entries),
        ]  # fmt: skip
        if self._found.library.dcell_take_plan(
            self._native.address, self._found.handle, _TILING, self._samples,
            _int64(room.to_list()), _int64(lengths), *(part.data_ptr() for part in tensors),
        ):  # fmt: skip
            raise MemoryError("no room for the plan of a batch; take a smaller train.batch_size")
        return tensors


def _int64(numbers: Sequence[int]) -> Any:
    return (ctypes.c_int64 * len(numbers))(*numbers)
