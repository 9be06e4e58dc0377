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

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
import torch
from torch import Tensor

from data_specs.cell_graph import IntArray
from dcell_model.dcell.columns import Columns
from dcell_model.dcell.gpu.tables import OUTER, Hierarchy, tiles

ROWS = 64  # what one program takes of the rows of a matrix product
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
        """Views of the two tensors of `Planned.pack`."""
        lengths = cls.lengths(room, len(own.terms), len(own.child), int(own.pair[-1]))
        narrow, wide = packed
        views = [*narrow.split(lengths[:-2]), *wide.split(lengths[-2:])]
        tiles = zip(views[12:14], (room.edge_tiles, room.row_tiles), strict=True)
        tables = [view[: 3 * sum(lengths)].view(3, -1) for view, lengths in tiles]
        return cls(*views[:12], *tables, *views[14:])


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan before it is padded: its arrays by name, and its sizes."""

    arrays: dict[str, IntArray]
    edge_tiles: list[IntArray]
    row_tiles: list[IntArray]
    sizes: Sizes

    @classmethod
    def of(cls, own: Hierarchy, columns: Columns, samples: int) -> "Planned":
        """Plan a batch of so many samples."""
        terms, edges = len(own.terms), len(own.child)
        starts = columns.starts.numpy()
        count = np.diff(starts)
        rows = count + 1
        row_start = starts + np.arange(terms + 1)
        rank = np.repeat(np.arange(terms), count)  # of every column
        row_of_column = np.arange(len(rank)) + rank
        wild = row_start[1:] - 1
        shared = np.empty(row_start[-1], dtype=np.int64)
        shared[row_of_column] = columns.count.numpy()
        shared[wild] = samples - np.diff(columns.entry_starts.numpy())

        places = rows[own.child]
        first_place = np.concatenate([[0], np.cumsum(places)])
        row, place, parent = _links(own, columns, row_start, first_place)
        link_start, by_row = grouped(row, int(row_start[-1]))
        pull_start, by_place = grouped(place, int(first_place[-1]))
        of_term = first_place[own.down[:-1]]  # the first place of every term's edges

        change_rank = np.repeat(np.arange(terms), np.diff(columns.change_starts.numpy()))
        change_row = columns.change_column.numpy() + row_start[change_rank]
        gene = columns.change_weight.numpy() - own.first_gene[change_rank]
        gene //= own.width[change_rank]
        change_start, by_changed = grouped(change_row, int(row_start[-1]))
        pair_start, by_pair = grouped(own.pair[change_rank] + gene, int(own.pair[-1]))
        arrays = {
            "samples": np.array([samples]),
            "row_start": row_start,
            "shared": shared,
            "link_start": link_start,
            "link_place": (place - of_term[parent])[by_row],
            "pull_start": pull_start,
            "pull_row": (row - row_start[parent])[by_place],
            "change_start": change_start,
            "change_gene": gene[by_changed],
            "pair_start": pair_start,
            "pair_row": (change_row - row_start[change_rank])[by_pair],
            "first_place": first_place,
            "number": np.cumsum(rows * own.width) - rows * own.width,
            "product": np.concatenate([[0], np.cumsum(places * own.width[own.parent])]),
        }
        edge_tiles = _by_stratum(
            own, own.parent, *_two_way(places, own.width[own.parent], np.arange(edges))
        )
        row_tiles = _by_stratum(own, np.arange(terms), *_two_way(rows, own.width, np.arange(terms)))
        sizes = Sizes(
            rows=int(row_start[-1]),
            places=int(first_place[-1]),
            links=len(row),
            changes=len(gene),
            numbers=int((rows * own.width).sum()),
            products=int(arrays["product"][-1]),
            edge_tiles=tuple(part.shape[1] for part in edge_tiles),
            row_tiles=tuple(part.shape[1] for part in row_tiles),
        )
        return cls(arrays, edge_tiles, row_tiles, sizes)

    def pack(self, room: Sizes, own: Hierarchy) -> tuple[Tensor, Tensor]:
        """All arrays padded to `room`, int32 in one tensor and int64 in another, on the CPU."""
        names = [field.name for field in fields(Plan)]
        lengths = Plan.lengths(room, len(own.terms), len(own.child), int(own.pair[-1]))
        narrow = torch.zeros(sum(lengths[:-2]), dtype=torch.int32)
        wide = torch.zeros(sum(lengths[-2:]), dtype=torch.int64)
        parts = [*narrow.split(lengths[:-2]), *wide.split(lengths[-2:])]
        for name, part in zip(names, parts, strict=True):
            to = part.numpy()
            if name == "edge_tile":
                _put_tiles(to, self.edge_tiles, room.edge_tiles)
            elif name == "row_tile":
                _put_tiles(to, self.row_tiles, room.row_tiles)
            else:
                array = self.arrays[name]
                to[: len(array)] = array
        return narrow, wide


def _links(
    own: Hierarchy, columns: Columns, row_start: IntArray, first_place: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Row, place and parent of every link, the wild types' after the others."""
    start = columns.link_starts.numpy()
    number = np.empty(len(own.child), dtype=np.int64)
    number[own.native_edge] = np.arange(len(own.child))
    edge = np.repeat(number, np.diff(start))
    row = row_start[own.parent[edge]] + columns.link_parent.numpy()
    place = first_place[edge] + columns.link_child.numpy()
    wild_row, wild_place = row_start[own.parent + 1] - 1, first_place[1:] - 1
    parent = np.concatenate([own.parent[edge], own.parent])
    return np.concatenate([row, wild_row]), np.concatenate([place, wild_place]), parent


def grouped(keys: IntArray, groups: int) -> tuple[IntArray, IntArray]:
    """Where each of the groups 0 … begins, and a stable order of the keys by group."""
    start = np.zeros(groups + 1, dtype=np.int64)
    np.cumsum(np.bincount(keys, minlength=groups), out=start[1:])
    # NumPy sorts 16 bits by counting: twice that is several times as fast as a sort of 32.
    order = np.argsort((keys & 0xFFFF).astype(np.uint16), kind="stable")
    if groups > 1 << 16:
        assert groups < 1 << 32
        order = order[np.argsort((keys >> 16).astype(np.uint16)[order], kind="stable")]
    return start, order


def _two_way(
    rows: IntArray, width: IntArray, names: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Name, first row and first neuron of tiles."""
    name, row = tiles(names, rows, ROWS)
    which, neuron = tiles(np.arange(len(name)), width[name], OUTER)
    return name[which], row[which], neuron


def _by_stratum(
    own: Hierarchy, rank: IntArray, name: IntArray, row: IntArray, neuron: IntArray
) -> list[IntArray]:
    """`[3, .]` tiles of every stratum, where `rank` is that of each name."""
    stratum = own.stratum[rank[name]]
    order = np.argsort(stratum, kind="stable")
    bounds = np.searchsorted(stratum[order], np.arange(1, own.strata))
    return np.split(np.stack([name, row, neuron])[:, order], bounds, axis=1)


def _put_tiles(to: IntArray, parts: list[IntArray], room: tuple[int, ...]) -> None:
    table = to[: 3 * sum(room)].reshape(3, -1)
    table[0] = -1
    first = 0
    for part, length in zip(parts, room, strict=True):
        table[:, first : first + part.shape[1]] = part
        first += length
