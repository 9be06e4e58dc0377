"""All terms of a stratum at once: rows outside, batch inside.

The state of the cell is one tensor `[R, B]`; concatenating the children of a term is a gather of
rows, and terms of equal shape are one batched matrix product. Genes enter as differences: the sum
of a term's gene weights for the wild type, less the columns of the deleted genes.

Shapes: R rows, B samples, n terms of a group, N changed rows of the batch's mutant states.
"""

import itertools
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dcell_model.dataset import MutantStateBatch
from dcell_model.subsystems import NORM_EPS, NORM_MOMENTUM, Group

if TYPE_CHECKING:
    from dcell_model.model import DCell


def forward(model: "DCell", batch: MutantStateBatch) -> Tensor:
    """`[T, B, P]` predictions of all heads."""
    layout, config = model.layout, model.config
    samples = len(batch)
    baseline, changes = gene_terms(model, batch)
    parts = _Parts(model)
    state = _State(model.bias.new_empty(layout.num_rows, samples))
    depth = len(layout.strata)
    numbers = [0]
    for groups in layout.strata:
        numbers.append(numbers[-1] + len(groups))
    tokens: list[Tensor] = []
    heads: list[list[Tensor]] = [[] for _ in range(depth)]
    for stratum in reversed(range(depth)):
        groups = layout.strata[stratum]
        first = groups[0].first_row
        rows = slice(first, first + layout.stratum_rows[stratum])
        products = []
        for number, group in enumerate(groups, start=numbers[stratum]):
            if group.fan_in == 0:
                products.append(baseline.new_zeros(group.rows, samples))
                continue
            index = model.get_buffer(f"child_rows_{number}")
            children = _TakeRows.apply(state, index, *tokens)  # [n · fan_in, B]
            children = children.view(len(group.terms), group.fan_in, samples)
            products.append(torch.bmm(parts.child[number], children).flatten(0, 1))
        z = torch.cat(products) + (parts.bias[stratum] + baseline[rows])[:, None]
        z = changes.add_to(z, stratum, first)
        if config.layers == 2:
            z = _second_layer(model, parts, groups, numbers[stratum], stratum, z)
        if config.norm_order == "act_norm":
            h = _normalise(model, parts, groups, stratum, rows, model.activate(z))
        else:
            h = model.activate(_normalise(model, parts, groups, stratum, rows, z))
        heads[stratum] = [
            torch.bmm(parts.head[number], own)  # [n, P, B]
            for number, own in enumerate(_by_group(h, groups), start=numbers[stratum])
        ]
        if stratum:
            tokens.append(_PutRows.apply(h, state, first, stratum == depth - 1))
    in_row_order = torch.cat([head for stratum_heads in heads for head in stratum_heads])
    predictions = in_row_order[model.place_of_term].transpose(1, 2)  # [T, B, P]
    return predictions + model.head_bias[:, None, :]


class _Parts:
    """Views of the flat parameters by stratum (rows) and by group (matrices)."""

    def __init__(self, model: "DCell") -> None:
        layout, config = model.layout, model.config
        groups = list(layout.groups())

        def matrices(flat: Tensor, columns: list[int]) -> list[Tensor]:
            sizes = [g.rows * c for g, c in zip(groups, columns, strict=True)]
            return [
                part.view(len(g.terms), g.out, c)
                for part, g, c in zip(flat.split(sizes), groups, columns, strict=True)
            ]

        def rows(flat: Tensor) -> tuple[Tensor, ...]:
            return tuple(flat.split(layout.stratum_rows))

        self.child = matrices(model.child_weight, [g.fan_in for g in groups])
        phenotypes = model.head_weight.shape[1]
        head = model.head_weight.split([g.rows for g in groups])
        self.head = [
            part.view(len(g.terms), g.out, phenotypes).transpose(1, 2)
            for part, g in zip(head, groups, strict=True)
        ]
        self.bias = rows(model.bias)
        if config.layers == 2:
            self.second = matrices(model.second_weight, [g.out for g in groups])
            self.second_bias = rows(model.second_bias)
        if config.norm != "none":
            self.norm_weight, self.norm_bias = rows(model.norm_weight), rows(model.norm_bias)


def _by_group(h: Tensor, groups: list[Group]) -> list[Tensor]:
    """`[n, out, B]` views of a stratum's rows, by one split: its backward is one concatenation."""
    parts = h.split([group.rows for group in groups])
    return [
        part.view(len(group.terms), group.out, -1)
        for part, group in zip(parts, groups, strict=True)
    ]


def _second_layer(
    model: "DCell", parts: _Parts, groups: list[Group], number: int, stratum: int, z: Tensor
) -> Tensor:
    h = model.activate(z)
    products = [
        torch.bmm(parts.second[number + i], own).flatten(0, 1)
        for i, own in enumerate(_by_group(h, groups))
    ]
    return torch.cat(products) + parts.second_bias[stratum][:, None]


def _normalise(
    model: "DCell", parts: _Parts, groups: list[Group], stratum: int, rows: slice, h: Tensor
) -> Tensor:
    if model.config.norm == "none":
        return h
    weight, bias = parts.norm_weight[stratum], parts.norm_bias[stratum]
    if model.config.norm == "batch":
        return F.batch_norm(
            h[None], model.running_mean[rows], model.running_var[rows], weight, bias,
            training=model.training, momentum=NORM_MOMENTUM, eps=NORM_EPS,
        )[0]  # fmt: skip
    normed = [
        F.layer_norm(own.transpose(1, 2), own.shape[1:2], eps=NORM_EPS)
        .transpose(1, 2)
        .flatten(0, 1)
        for own in _by_group(h, groups)
    ]
    return torch.cat(normed) * weight[:, None] + bias[:, None]


class _GeneChanges:
    """What the deleted genes change in the pre-activations, one entry a (neuron, sample).

    Entries are sorted by stratum; `bounds[s]` and `bounds[s + 1]` enclose those of stratum s.
    """

    def __init__(self, row: Tensor, sample: Tensor, value: Tensor, bounds: list[int]) -> None:
        self.row, self.sample, self.bounds = row, sample, bounds
        # One split has one backward, which concatenates; slices would each fill the whole.
        self.values = value.split([b - a for a, b in itertools.pairwise(bounds)])

    def add_to(self, z: Tensor, stratum: int, first_row: int) -> Tensor:
        """Add the entries of a stratum in place to its `[rows, B]`."""
        entries = slice(self.bounds[stratum], self.bounds[stratum + 1])
        place = (self.row[entries] - first_row) * z.shape[1] + self.sample[entries]
        return z.view(-1).index_add_(0, place, self.values[stratum].to(z.dtype)).view_as(z)


def gene_terms(model: "DCell", batch: MutantStateBatch) -> tuple[Tensor, _GeneChanges]:
    """The genes' part of the pre-activations: `[R]` for the wild type, and the changes to it."""
    columns = model.gene_columns()
    baseline = columns.new_zeros(model.layout.num_rows)
    if model.config.gene_input == "state":
        baseline = baseline.index_add(0, model.gene_weight_row, columns)
    sign = -1 if model.config.gene_input == "state" else 1
    term, order = batch.term.sort(stable=True)  # terms are sorted by stratum
    pair = model.rows_of_state(batch)[order]
    width = model.pair_width[pair]
    ends = width.cumsum(0)
    entry = torch.arange(int(ends[-1]) if len(ends) else 0, device=pair.device)
    within = entry - (ends - width).repeat_interleave(width)
    value = sign * columns[model.pair_weight[pair].repeat_interleave(width) + within]
    row = model.pair_row[pair].repeat_interleave(width) + within
    sample = batch.sample[order].repeat_interleave(width)
    until = torch.searchsorted(term, model.stratum_ends)
    bounds = [0, *F.pad(ends, (1, 0))[until].tolist()]
    return baseline, _GeneChanges(row, sample, value, bounds)


class _State:
    """The rows of all strata and their gradient, each one buffer for the whole pass.

    Autograd on plain indexing would fill a gradient the size of the state for every gather.
    """

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows
        self.gradient: Tensor | None = None


class _PutRows(torch.autograd.Function):
    """Write a stratum into the state; its token orders the backward pass after all readers."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, state: _State, first: int, deepest: bool) -> Tensor:
        state.rows[first : first + len(h)] = h
        ctx.state, ctx.rows, ctx.deepest = state, slice(first, first + len(h)), deepest
        return h.new_empty(0)

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor | None, None, None, None]:
        state = ctx.state
        gradient = None if state.gradient is None else state.gradient[ctx.rows]
        if ctx.deepest:  # the last one: a second backward pass starts from zero again
            state.gradient = None
        return gradient, None, None, None


class _TakeRows(torch.autograd.Function):
    """Gather rows of the state; the gradient is added to the state's in place."""

    @staticmethod
    def forward(ctx: Any, state: _State, index: Tensor, *tokens: Tensor) -> Tensor:
        ctx.state, ctx.tokens = state, len(tokens)
        ctx.save_for_backward(index)
        return state.rows.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (index,) = ctx.saved_tensors
        state = ctx.state
        if state.gradient is None:
            state.gradient = torch.zeros_like(state.rows)
        state.gradient.index_add_(0, index, gradients[0].to(state.rows.dtype))
        token = state.rows.new_empty(0)
        return (None, None, *(token for _ in range(ctx.tokens)))
