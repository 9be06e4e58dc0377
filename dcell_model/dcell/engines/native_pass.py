"""Only the columns of a batch, in C++: the wild type once, and the differences from it.

A deletion of three genes touches some hundred of the 4,000 terms of yeast. In every other term the
sample equals the wild type, in training too, since batch norm maps equal inputs to equal outputs.
So a term has one wild type and, for each set of genes that samples delete under it (a column, see
`dcell.columns`), the difference D from that:

    z = z_wt + d,    d(p, q) = Σ over touched children c of W_pc D(c, q) − Σ over deleted genes of w

A gene in a state s other than 0 adds (s − 1) w in place of −w; samples share a column if they have
the same genes in the same states.
A function f that works sample by sample gives D = f(z_wt + d) − f(z_wt). Batch norm's statistics
count a column once for each of its μ samples, and the wild type for all others; in differences the
wild type drops out of them: mean = z_wt + m with m = Σμd/B, and
var = (Σμ(d − m)² + (B − Σμ)m²)/B. Nothing is neglected: the result is that of the other engines,
and a term that no sample touches has a variance of exactly zero.

Moments and sums over columns are taken in double precision, and differences of activations without
the subtraction of nearly equal numbers: batch norm multiplies errors by up to 1/√eps = 316 at every
term on the way to the root.
"""

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from dcell_model.data import MutantStateBatch
from dcell_model.dcell.columns import Columns, columns_of
from dcell_model.dcell.engines.derivative import register_backward
from dcell_model.dcell.engines.processes import shares_statistics
from dcell_model.dcell.engines.touched import dynamic
from dcell_model.dcell.engines.weights import Weights, update_running_statistics
from dcell_model.dcell.heads import ColumnHeads
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.native import REAL, NativeHierarchy, Settings, call, load
from dcell_model.dcell.parameters import DCellParameters


def forward(model: DCellParameters, batch: MutantStateBatch) -> ColumnHeads:
    """Predictions of all heads, as the wild type's and the differences from it."""
    return _run(model, batch)[0]


def forward_with_states(
    model: DCellParameters, batch: MutantStateBatch
) -> tuple[ColumnHeads, Tensor]:
    """The same, and `[C]` the root mean square of each column's differences."""
    heads, columns, outputs = _run(model, batch)
    D = outputs[6].detach()
    rows = columns.starts.diff() + 1  # the last of each term is the wild type's
    is_column = torch.ones(int(rows.sum()), dtype=torch.bool)
    is_column[rows.cumsum(0) - 1] = False
    width = torch.from_numpy(NativeHierarchy.of(model.layout).width)
    counts, found = torch.unique_consecutive(width, return_inverse=True)
    tables = rows.new_zeros(len(counts)).index_add_(0, found, rows)
    sizes = zip(D.split((tables * counts).tolist()), counts.tolist(), strict=True)
    changes = torch.cat([part.view(-1, w).square().mean(1).sqrt() for part, w in sizes])
    return heads, changes[is_column]


def find_columns(layout: SubsystemLayout, batch: MutantStateBatch) -> None:
    """Find the columns of a batch ahead of its pass; in any thread, beside a pass that runs."""
    columns = columns_of(
        layout, batch.deleted_sample, batch.deleted_gene, len(batch), batch.deleted_state
    )
    batch.plan = columns.to_list()


def suits(model: DCellParameters) -> bool:
    """Whether the native pass can run a model: on a CPU, in one process, without autocast.

    It has no attention: `engines.attention_pass` runs that.
    """
    return (
        not model.config.attention_heads
        and model.bias.device.type == "cpu"
        and model.bias.dtype in REAL
        and not torch.is_autocast_enabled("cpu")
        and not shares_statistics(model)
        and _is_built()
    )


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _is_built() -> bool:
    return load() is not None


def _run(
    model: DCellParameters, batch: MutantStateBatch
) -> tuple[ColumnHeads, Columns, list[Tensor]]:
    """The heads, the columns, and all that the operator returns."""
    columns = batch.plan
    if columns is None:
        columns = columns_operator(
            batch.deleted_sample, batch.deleted_gene, len(batch), model.layout.handle,
            batch.deleted_state,
        )  # fmt: skip
    known = model.wild_type_cache.get(model)
    outputs = forward_operator(
        Weights.of(model).to_list(),
        columns,
        known,
        len(batch),
        model.layout.handle,
        model.training,
        False,
    )
    wild, difference, mean, var, first, *_ = outputs
    model.wild_type_cache.put(model, first)
    if model.training and model.config.norm == "batch":
        update_running_statistics(model, mean, var, len(batch))
    own = Columns(*columns)
    hierarchy = NativeHierarchy.of(model.layout)
    term = torch.from_numpy(hierarchy.terms).repeat_interleave(
        own.starts.diff(), output_size=len(own.count)
    )
    heads = ColumnHeads(
        wild_type=wild,
        difference=difference,
        term=term,
        count=own.count,
        sample=own.entry_sample,
        column=own.entry_column,
        samples=len(batch),
    )
    return heads, own, outputs


@torch.library.custom_op("dcell::columns", mutates_args=())
def columns_operator(
    deleted_sample: Tensor, deleted_gene: Tensor, samples: int, handle: int,
    deleted_state: Tensor | None = None,
) -> list[Tensor]:  # fmt: skip
    """The fields of `Columns`."""
    layout = SubsystemLayout.find(handle)
    return columns_of(layout, deleted_sample, deleted_gene, samples, deleted_state).to_list()


@columns_operator.register_fake
def _(
    deleted_sample: Tensor, deleted_gene: Tensor, samples: int, handle: int,
    deleted_state: Tensor | None = None,
) -> list[Tensor]:  # fmt: skip
    layout = SubsystemLayout.find(handle)
    terms, edges = layout.graph.num_terms, NativeHierarchy.of(layout).edges
    int32 = deleted_sample.new_empty(0, dtype=torch.int32)
    starts = deleted_sample.new_empty(terms + 1)
    entry, link = dynamic(int32), dynamic(int32)
    change = dynamic(int32)
    return Columns(
        starts=starts,
        count=dynamic(int32),
        entry_starts=torch.empty_like(starts),
        entry_sample=entry,
        entry_column=torch.empty_like(entry),
        link_starts=deleted_sample.new_empty(edges + 1),
        link_parent=link,
        link_child=torch.empty_like(link),
        change_starts=torch.empty_like(starts),
        change_column=change,
        change_weight=torch.empty_like(change, dtype=torch.int64),
        change_size=(
            deleted_sample.new_empty(0, dtype=torch.float64)
            if deleted_state is None
            else torch.empty_like(change, dtype=torch.float64)
        ),
    ).to_list()


_COLUMN_FIELDS = ("starts", "count", "entry_starts", "link_starts", "link_parent", "link_child",
                  "change_starts", "change_column", "change_weight", "change_size")  # fmt: skip


class _Columns(ctypes.Structure):
    """The struct `Columns` of `hierarchy.h`."""

    _fields_ = [(name, ctypes.c_void_p) for name in _COLUMN_FIELDS]

    @classmethod
    def of(cls, columns: Sequence[Tensor]) -> "_Columns":
        own = Columns(*columns)
        sized = own.change_size.numel() > 0
        return cls(
            *(getattr(own, name).data_ptr() for name in _COLUMN_FIELDS[:-1]),
            own.change_size.data_ptr() if sized else None,
        )


def table_size(hierarchy: NativeHierarchy, columns: Sequence[Tensor]) -> int:
    """Numbers in a table of all terms' columns and wild types, rank by rank."""
    rows = Columns(*columns).starts.diff().numpy() + 1
    return int((rows * hierarchy.width).sum())


@torch.library.custom_op("dcell::native", mutates_args=())
def forward_operator(
    weights: Sequence[Tensor],
    columns: Sequence[Tensor],
    known: Tensor,
    samples: int,
    handle: int,
    training: bool,
    keep_inputs: bool,
) -> list[Tensor]:
    """Heads of the wild type `[T, P]` and differences `[C, P]`, and what backward needs.

    Between them stand mean and variance of the batch `[R]` and the wild type's pre-activations
    `[R]`, which are taken from `known` if that is not empty. With `keep_inputs` there is no
    backward pass: what goes into the first activation is kept in its place.
    """
    own = Weights(*(tensor.contiguous() for tensor in weights))
    layout = SubsystemLayout.find(handle)
    hierarchy, phenotypes, rows = NativeHierarchy.of(layout), own.head.shape[1], len(own.bias)
    settings = Settings.of(
        layout.config, training=training, phenotypes=phenotypes, samples=samples,
        known=known.numel() > 0, keep_inputs=keep_inputs,
    )  # fmt: skip
    size = table_size(hierarchy, columns)
    own.mean, own.var = own.mean.clone(), own.var.clone()
    new = own.bias.new_empty
    first = known.clone() if known.numel() else new(rows)
    last, D, X = new(rows), new(size), new(size)
    Y = new(size if layout.config.layers == 2 else 0)
    wild, difference = torch.empty_like(own.head_bias), new(int(columns[0][-1]), phenotypes)
    state = [first, last, D, X, Y, wild, difference]
    call(
        "forward", own.bias, hierarchy.struct, _Columns.of(columns), settings, own.to_list(), state
    )
    return [wild, difference, own.mean, own.var, first, last, D, X, Y]


@torch.library.custom_op("dcell::native_backward", mutates_args=())
def backward_operator(
    grad_wild: Tensor,
    grad_difference: Tensor,
    weights: Sequence[Tensor],
    columns: Sequence[Tensor],
    saved: Sequence[Tensor],
    samples: int,
    handle: int,
    training: bool,
    keep_inputs: bool,
) -> list[Tensor]:
    """Gradients of all weights, in their order."""
    assert not keep_inputs
    own = Weights(*(tensor.contiguous() for tensor in weights))
    layout = SubsystemLayout.find(handle)
    hierarchy = NativeHierarchy.of(layout)
    settings = Settings.of(
        layout.config, training=training, phenotypes=own.head.shape[1], samples=samples
    )
    gradients = own.empty_like()
    gradients.head_bias = grad_wild.clone()
    none = own.bias.new_empty(0)
    given = [grad_wild.contiguous(), grad_difference.contiguous()]
    grad_columns = own.bias.new_empty(table_size(hierarchy, columns))
    call(
        "backward", own.bias, hierarchy.struct, _Columns.of(columns), settings, own.to_list(),
        [*saved, none, none], given, gradients.to_list(), grad_columns, torch.empty_like(own.bias),
    )  # fmt: skip
    return gradients.to_list()


@forward_operator.register_fake
def _(
    weights: Sequence[Tensor], columns: Sequence[Tensor], known: Tensor, samples: int,
    handle: int, training: bool, keep_inputs: bool,
) -> list[Tensor]:  # fmt: skip
    layout, own = SubsystemLayout.find(handle), Weights(*weights)
    D = dynamic(own.bias)
    rows = [own.bias.new_empty(layout.num_rows) for _ in range(2)]
    return [
        torch.empty_like(own.head_bias),
        own.head.new_empty(Columns(*columns).count.shape[0], own.head.shape[1]),
        torch.empty_like(own.mean),
        torch.empty_like(own.var),
        *rows,
        D,
        torch.empty_like(D),
        torch.empty_like(D) if layout.config.layers == 2 else own.bias.new_empty(0),
    ]


@backward_operator.register_fake
def _(
    grad_wild: Tensor, grad_difference: Tensor, weights: Sequence[Tensor],
    columns: Sequence[Tensor], saved: Sequence[Tensor], samples: int, handle: int, training: bool,
    keep_inputs: bool,
) -> list[Tensor]:  # fmt: skip
    return Weights(*weights).empty_like().to_list()


register_backward(forward_operator, backward_operator)
