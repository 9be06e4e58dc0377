"""The columns of a batch: what of a DCell's work is distinct.

Two samples whose deletions agree under a term have the same numbers at that term and at everything
below it, in training too. So a batch has one column for each distinct (term, set of deleted genes
under it), shared by `count` samples; a sample that deletes nothing under a term is its wild type.
Where genes have states other than 0, deletions agree if their states do.
Which columns there are depends on genotypes and hierarchy alone.

Shapes: T terms, E edges, C columns, N entries (touched (term, sample) pairs), L links, X changes.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dcell_model.data import sizes_of
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.native import REAL, NativeHierarchy, call, load
from dcell_model.dcell.tensor_fields import TensorFields


@dataclass(slots=True)
class Columns(TensorFields):
    """The columns of a batch, sorted by their terms' rank; links and changes count inside a term.

    Attributes:
        starts: `[T + 1]` int64, columns of every rank.
        count: `[C]` int32, samples that share a column.
        entry_starts: `[T + 1]` int64, entries of every rank.
        entry_sample, entry_column: `[N]` int32, by rank and sample.
        link_starts: `[E + 1]` int64, links of every edge of `NativeHierarchy`.
        link_parent, link_child: `[L]` int32, the parent's column, ascending, and the child's.
        change_starts: `[T + 1]` int64, changes of every rank.
        change_column: `[X]` int32, the column that a deleted gene changes directly.
        change_weight: `[X]` int64, where the gene's weights begin in the flat gene weights.
        change_size: `[X]` float64, 1 less the gene's state; empty where all states are 0.
    """

    starts: Tensor
    count: Tensor
    entry_starts: Tensor
    entry_sample: Tensor
    entry_column: Tensor
    link_starts: Tensor
    link_parent: Tensor
    link_child: Tensor
    change_starts: Tensor
    change_column: Tensor
    change_weight: Tensor
    change_size: Tensor


def columns_of(
    layout: SubsystemLayout,
    deleted_sample: Tensor,
    deleted_gene: Tensor,
    samples: int,
    deleted_state: Tensor | None = None,
) -> Columns:
    """The columns of a batch, by the native pass.

    Args:
        layout: the subsystems.
        deleted_sample: `[D]` int64 on the CPU, as in `MutantStateBatch`.
        deleted_gene: `[D]` int64; genes from G on touch nothing.
        samples: B.
        deleted_state: `[D]` float32; none: all are 0.
    """
    with found_columns(layout, deleted_sample, deleted_gene, samples, deleted_state) as found:
        columns, entries, links, changes = found.sizes
        terms, edges = layout.graph.num_terms, NativeHierarchy.of(layout).edges

        def room(length: int, dtype: torch.dtype = torch.int32) -> Tensor:
            return torch.empty(length, dtype=dtype)

        made = Columns(
            starts=room(terms + 1, torch.int64),
            count=room(columns),
            entry_starts=room(terms + 1, torch.int64),
            entry_sample=room(entries),
            entry_column=room(entries),
            link_starts=room(edges + 1, torch.int64),
            link_parent=room(links),
            link_child=room(links),
            change_starts=room(terms + 1, torch.int64),
            change_column=room(changes),
            change_weight=room(changes, torch.int64),
            change_size=room(0 if deleted_state is None else changes, torch.float64),
        )
        found.library.dcell_take_columns(
            found.handle, *(tensor.data_ptr() for tensor in made.to_list())
        )
    return made


@dataclass(frozen=True, slots=True)
class FoundColumns:
    """The columns of a batch in the memory of the native library.

    Attributes:
        library: which has them.
        handle: its name for them.
        sizes: C, N, L and X.
    """

    library: ctypes.CDLL
    handle: ctypes.c_void_p
    sizes: tuple[int, int, int, int]


@contextmanager
def found_columns(
    layout: SubsystemLayout,
    deleted_sample: Tensor,
    deleted_gene: Tensor,
    samples: int,
    deleted_state: Tensor | None = None,
) -> Iterator[FoundColumns]:
    """Find the columns of a batch, and free them afterwards; arguments as of `columns_of`."""
    library = load()
    assert library is not None
    sample, gene = deleted_sample.contiguous(), deleted_gene.contiguous()
    size = None if deleted_state is None else sizes_of(deleted_state)
    sizes = (ctypes.c_int64 * 4)()
    handle = library.dcell_make_columns(
        NativeHierarchy.of(layout).address,
        sample.data_ptr(),
        gene.data_ptr(),
        None if size is None else size.data_ptr(),
        len(gene),
        samples,
        sizes,
    )
    if not handle:
        raise MemoryError("no room for the columns of a batch; take a smaller train.batch_size")
    columns, entries, links, changes = sizes
    try:
        yield FoundColumns(library, ctypes.c_void_p(handle), (columns, entries, links, changes))
    finally:
        library.dcell_free_columns(handle)


@torch.library.custom_op("dcell::sum_over_columns", mutates_args=())
def sum_over_columns(values: Tensor, sample: Tensor, column: Tensor, columns: int) -> Tensor:
    """`[C, P]` sums of values `[B, P]` over the samples of every column."""
    native = values.device.type == "cpu" and sample.dtype == torch.int32 and values.dtype in REAL
    phenotypes = values.shape[1]
    sums = values.new_zeros(columns, phenotypes)
    if values.is_cuda:  # in one order, without atomics
        by_column, order = column.sort(stable=True)
        starts = torch.searchsorted(
            by_column, torch.arange(columns + 1, device=column.device, dtype=column.dtype)
        )
        rows = values.index_select(0, sample.index_select(0, order))
        return torch.stack(
            [torch.segment_reduce(row.contiguous(), "sum", offsets=starts, unsafe=True)
             for row in rows.t()], 1
        )  # fmt: skip
    if not native or load() is None:
        return sums.index_add_(0, column, values.index_select(0, sample))
    values, sample, column = values.contiguous(), sample.contiguous(), column.contiguous()
    room = torch.empty(columns * phenotypes, dtype=torch.float64)
    call("sum", values, len(sample), sample, column, phenotypes, values, columns, room, sums)
    return sums


@sum_over_columns.register_fake
def _(values: Tensor, sample: Tensor, column: Tensor, columns: int) -> Tensor:
    return values.new_empty(columns, values.shape[1])


def _save_entries(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    values, sample, column, _ = inputs
    ctx.save_for_backward(sample, column)
    ctx.shape = values.shape


def _spread(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
    sample, column = ctx.saved_tensors
    zeros = grad.new_zeros(ctx.shape)
    return zeros.index_add(0, sample, grad.index_select(0, column)), None, None, None


sum_over_columns.register_autograd(_spread, setup_context=_save_entries)
