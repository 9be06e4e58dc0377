"""A batch's entries by group and stratum, as both passes of `incremental` walk them.

Shapes: N entries of a group, n its terms, w its width.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from dcell_model.dcell.engines.indices import Indices, segment_sum
from dcell_model.dcell.engines.touched import Touched
from dcell_model.dcell.layout import Group, SubsystemLayout
from dcell_model.dcell.ranks import Ranks


class Entries:
    """The entries of one group, and sums over those of each term.

    Attributes:
        number, group: the group.
        class_number: number of its width among the distinct ones.
        rows: where the entries stand in the table of that width.
        all_rows: where they stand among all entries.
        count: N.
        term, starts: `[N]` term of each, from the group's first on, and where each term's begin.
        change_entry, change_input, change_size: see `Touched`.
    """

    def __init__(
        self, number: int, group: Group, ranks: Ranks, at: Touched, begin: list[int], changes: slice
    ) -> None:
        own = ranks.groups[number]
        self.number, self.group = number, group
        self.class_number = int(ranks.class_of_rank[own.start])
        first = begin[ranks.classes[self.class_number].start]
        self.rows = slice(begin[own.start] - first, begin[own.stop] - first)
        self.all_rows = slice(begin[own.start], begin[own.stop])
        self.count = begin[own.stop] - begin[own.start]
        self.term = at.rank[self.all_rows] - own.start  # [N], 0 … n − 1
        self.starts = at.starts[own.start : own.stop + 1] - begin[own.start]
        self.change_entry = at.change_entry[changes]
        self.change_input = at.change_input[changes]
        self.change_size = at.change_size[changes]

    def each(self, values_nw: Tensor) -> Tensor:
        """`[N, w]` the value of each entry's term; read only."""
        if len(values_nw) == 1:
            return values_nw.expand(self.count, -1)
        # A gather from a strided tensor is ten times slower.
        return values_nw.contiguous().index_select(0, self.term)

    def plus(self, values_Nw: Tensor, other_nw: Tensor) -> Tensor:
        """`values + each(other)`."""
        if len(other_nw) == 1:
            return values_Nw + other_nw
        return self.each(other_nw).add_(values_Nw)

    def times(self, values_Nw: Tensor, other_nw: Tensor) -> Tensor:
        """`values · each(other)`."""
        if len(other_nw) == 1:
            return values_Nw * other_nw
        return self.each(other_nw).mul_(values_Nw)

    def sized(self, values_Cw: Tensor) -> Tensor:
        """The values of changes times their sizes."""
        if not len(self.change_size):  # every size is 1, or there is no change
            return values_Cw
        return values_Cw * self.change_size[:, None].to(values_Cw.dtype)

    def total(self, values_Nw: Tensor) -> Tensor:
        """`[n, w]` sums over the entries of each term."""
        if len(self.starts) == 2:
            return values_Nw.sum(0, keepdim=True)
        return segment_sum(values_Nw, self.starts)

    def untouched(self, samples: int) -> Tensor:
        """`[n, 1]` samples that do not touch each term."""
        return (samples - self.starts.diff())[:, None]


class Walk:
    """Everything that both passes look up about a batch.

    Attributes:
        at: the batch's entries.
        begin: `[T + 1]` where the entries of each rank begin.
        entries, strata: the entries of every group in row order, and the same by stratum.
        sizes: entries and width of the table of every width.
    """

    def __init__(self, handle: int, touched: Sequence[Tensor], device: torch.device) -> None:
        self.layout = layout = SubsystemLayout.find(handle)
        self.indices, self.ranks = Indices.of(layout, device), Ranks.of(layout)
        self.at = at = Touched(*touched)
        self.begin = begin = at.starts.tolist()
        changes = [slice(*bounds) for bounds in at.change_bounds.t().tolist()]
        self.entries = [
            Entries(number, group, self.ranks, at, begin, changes[number])
            for number, group in enumerate(layout.groups)
        ]
        classes = zip(self.ranks.widths.tolist(), self.ranks.classes, strict=True)
        self.sizes = [(begin[own.stop] - begin[own.start], width) for width, own in classes]
        strata = itertools.groupby(self.entries, lambda entries: entries.group.stratum)
        self.strata = [list(own) for _, own in strata]

    def tables(self, like: Tensor) -> Tensor:
        """Room for a table `[N + 1, width]` of every width; the last row of each is zero."""
        flat = like.new_empty(sum((rows + 1) * width for rows, width in self.sizes))
        for table in self.split(flat):
            table[-1] = 0
        return flat

    def split(self, flat: Tensor) -> list[Tensor]:
        """The tables by width."""
        lengths = [(rows + 1) * width for rows, width in self.sizes]
        parts = zip(flat.split(lengths), self.sizes, strict=True)
        return [part.view(-1, width) for part, (_, width) in parts]
