"""All terms of a stratum at once: rows outside, batch inside.

The state of the cell is one tensor `[R, B]`; concatenating the children of a term is a gather of
rows, and terms of equal shape are one batched matrix product. Genes enter as differences: the sum
of a term's gene weights for the wild type, less those of the deleted genes.

The whole hierarchy is one operator with its own backward pass, which adds every term's part of the
gradient of its children in place into one buffer `[R, B]`; autograd would fill a gradient of that
size for each gather. All but the matrix products is done for many terms of a stratum in one go.

Shapes: R rows, B samples, T terms, P phenotypes; of a bundle: n terms, w their width, K child
neurons of each.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from dcell_model.activations import ACTIVATIONS
from dcell_model.dataset import MutantStateBatch
from dcell_model.engines.indices import Indices, segment_sum
from dcell_model.engines.weights import Weights, product_dtype, update_running_statistics
from dcell_model.subsystems import NORM_EPS, Group, SubsystemLayout

if TYPE_CHECKING:
    from dcell_model.model import DCell

CHUNK = 1 << 21  # numbers that elementwise work takes at a time; some such tensors fit into a cache


def forward(model: "DCell", batch: MutantStateBatch) -> Tensor:
    """`[T, B, P]` predictions of all heads."""
    weights = Weights.of(model)
    dtype = product_dtype(model.bias.device) or model.bias.dtype
    heads, mean, var, *_ = _forward(
        weights.to_list(), batch.term, batch.gene, batch.sample, len(batch),
        model.layout.handle, model.training, dtype,
    )  # fmt: skip
    if model.training and model.config.norm == "batch":
        update_running_statistics(model, mean, var, len(batch))
    return heads


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Some terms of a stratum that follow each other.

    Attributes:
        terms, rows: slices of the terms in row order, and of the rows.
        starts: `[n + 1]` where the rows of each term begin, from the chunk's first on.
        term_of_row: `[rows]` term of each row, from the chunk's first on.
    """

    terms: slice
    rows: slice
    starts: Tensor
    term_of_row: Tensor


def _chunks(layout: SubsystemLayout, device: torch.device, samples: int) -> list[list[_Chunk]]:
    """The chunks of every stratum, index = stratum."""
    widths = layout.widths[layout.order]
    ends = np.cumsum(widths)
    result: list[list[_Chunk]] = [[] for _ in range(layout.graph.num_strata)]
    most = max(1, CHUNK // max(1, samples))
    for stratum, chunks in enumerate(result):
        first, last = np.searchsorted(layout.graph.strata, [stratum, stratum + 1])
        while first < last:
            row = int(ends[first] - widths[first])
            end = max(first + 1, min(last, int(np.searchsorted(ends, row + most, side="right"))))
            starts = np.concatenate([[0], ends[first:end] - row])
            term_of_row = np.repeat(np.arange(end - first), widths[first:end])
            chunks.append(
                _Chunk(
                    terms=slice(int(first), int(end)),
                    rows=slice(row, row + int(starts[-1])),
                    starts=torch.from_numpy(starts).to(device),
                    term_of_row=torch.from_numpy(term_of_row).to(device),
                )
            )
            first = end
    return result


class _Norm:
    """Batch norm, layer norm or nothing on the `[rows, B]` of a chunk."""

    def __init__(self, kind: str, own: Weights, chunk: _Chunk) -> None:
        self.kind, self.chunk = kind, chunk
        if kind != "none":
            self.weight, self.bias = own.norm[chunk.rows, None], own.norm_bias[chunk.rows, None]
        if kind == "batch":
            self.mean, self.var = own.mean[chunk.rows, None], own.var[chunk.rows, None]

    def forward(self, x: Tensor, measure: bool = False) -> Tensor:
        """Normalise; with `measure` by the batch's mean and variance, which are put in place."""
        if self.kind == "none":
            return x
        if self.kind == "layer":
            return self._standardised(x)[0].mul_(self.weight).add_(self.bias)
        if measure:
            self.mean.copy_(x.mean(1, keepdim=True))
        centred = x - self.mean
        if measure:
            deviation = torch.linalg.vector_norm(centred, dim=1, keepdim=True)
            self.var.copy_(deviation.square_() / x.shape[1])
        return centred.mul_(self.weight * (self.var + NORM_EPS).rsqrt()).add_(self.bias)

    def backward(self, g: Tensor, x: Tensor, out: Weights, training: bool) -> Tensor:
        """The gradient of x from that of the output; those of weight and bias are put in place."""
        if self.kind == "none":
            return g
        B, sum_g = x.shape[1], g.sum(1, keepdim=True)
        out.norm_bias[self.chunk.rows] = sum_g[:, 0]
        if self.kind == "layer":
            unit, deviation = self._standardised(x)
            out.norm[self.chunk.rows] = torch.linalg.vecdot(g, unit)
            g = g * self.weight
            return (g - self._mean(g)).sub_(unit * self._mean(g * unit)).div_(deviation)
        rstd = (self.var + NORM_EPS).rsqrt()
        centred = x - self.mean
        dot = torch.linalg.vecdot(g, centred)[:, None] * rstd
        out.norm[self.chunk.rows] = dot[:, 0]
        scale = self.weight * rstd
        gx = g * scale
        if training:
            gx.sub_(scale * sum_g / B).sub_(centred.mul_(scale * rstd * dot / B))
        return gx

    def _standardised(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Each sample of each term with mean 0 and variance 1, and its deviation before."""
        centred = x - self._mean(x)
        deviation = (self._mean(centred.square()) + NORM_EPS).sqrt()
        return centred / deviation, deviation

    def _mean(self, x: Tensor) -> Tensor:
        """The mean over each term's rows, for each of its rows."""
        sums = segment_sum(x, self.chunk.starts)
        widths = self.chunk.starts.diff()[:, None]
        return (sums / widths).index_select(0, self.chunk.term_of_row)


class _GeneChanges:
    """What the deleted genes change in the pre-activations, one entry a (neuron, sample)."""

    def __init__(
        self, layout: SubsystemLayout, indices: Indices, term: Tensor, gene: Tensor, sample: Tensor
    ) -> None:
        term, order = term.sort(stable=True)  # terms are sorted by stratum
        pair = torch.searchsorted(
            indices.pair_key, term * layout.graph.num_genes + gene[order]
        )
        width = indices.pair_width[pair]
        starts = width.cumsum(0) - width
        within = torch.arange(int(width.sum()), device=term.device)
        within -= starts.repeat_interleave(width)
        self.weight = indices.pair_weight[pair].repeat_interleave(width) + within
        self.row = indices.pair_row[pair].repeat_interleave(width) + within
        self.sample = sample[order].repeat_interleave(width)
        every = torch.arange(layout.graph.num_strata + 1, device=term.device)
        before = torch.cat([starts, width.sum()[None]])
        self._before = before[torch.searchsorted(indices.stratum[term], every)].tolist()
        self.sign = -1 if layout.config.gene_input == "state" else 1

    def of(self, stratum: int, first_row: int, samples: int) -> tuple[Tensor, Tensor]:
        """Flat places in the stratum's `[rows, B]`, and the gene weights that belong there."""
        entries = slice(*self._before[stratum : stratum + 2])
        place = (self.row[entries] - first_row) * samples + self.sample[entries]
        return place, self.weight[entries]


def _add_product(into: Tensor, a: Tensor, b: Tensor, dtype: torch.dtype) -> None:
    """`into += a @ b` by batch; operands in `dtype`, the sum in the type of `into`."""
    if dtype == into.dtype:
        into.baddbmm_(a, b)
    else:
        into += torch.bmm(a.to(dtype), b.to(dtype))


@dataclass(frozen=True, slots=True)
class _Stratum:
    """The groups of a stratum with their numbers, its rows, and its chunks."""

    number: int
    groups: list[tuple[int, Group]]
    rows: slice
    chunks: list[_Chunk]


def _strata(layout: SubsystemLayout, device: torch.device, samples: int) -> list[_Stratum]:
    chunks = _chunks(layout, device, samples)
    strata = []
    for number, groups in itertools.groupby(enumerate(layout.groups), lambda g: g[1].stratum):
        own = list(groups)
        rows = slice(own[0][1].rows.start, own[-1][1].rows.stop)
        strata.append(_Stratum(number, own, rows, chunks[number]))
    return strata


@torch.library.custom_op("dcell::stratum", mutates_args=())
def _forward(
    weights: Sequence[Tensor],
    term: Tensor,
    gene: Tensor,
    sample: Tensor,
    samples: int,
    handle: int,
    training: bool,
    dtype: torch.dtype,
) -> list[Tensor]:
    """Heads `[T, B, P]`, mean and variance of the batch `[R]`, and what backward needs."""
    layout, own = SubsystemLayout.find(handle), Weights(*weights)
    config, act = layout.config, ACTIVATIONS[layout.config.activation]
    indices = Indices.of(layout, own.bias.device)
    R, B, P = layout.num_rows, samples, own.head.shape[1]
    O_RB = own.bias.new_empty(R, B)  # outputs of all neurons
    X_RB = own.bias.new_empty(R, B)  # what norm and activation are differentiated with
    Y_RB = own.bias.new_empty((R, B) if config.layers == 2 else (0, 0))  # the first layer's
    heads_TPB = own.bias.new_empty(layout.graph.num_terms, P, B)
    own.mean, own.var = own.mean.clone(), own.var.clone()
    changes = _GeneChanges(layout, indices, term, gene, sample)
    for stratum in reversed(_strata(layout, O_RB.device, B)):
        Z_RB = Y_RB if config.layers == 2 else X_RB
        for number, group in stratum.groups:
            w = group.width
            base_nw = own.bias[group.rows].view(-1, w)
            if config.gene_input == "state":
                base_nw = base_nw + segment_sum(own.genes_of(group), indices.genes[number])
            z_nwB = Z_RB[group.rows].view(-1, w, B)
            z_nwB.copy_(base_nw[:, :, None].expand_as(z_nwB))
            for bundle, rows in zip(group.bundles, indices.child_rows[number], strict=True):
                if bundle.fan_in:
                    children = O_RB.index_select(0, rows).view(-1, bundle.fan_in, B)
                    W = own.children_of(group)[bundle.inputs].view(-1, bundle.fan_in, w)
                    _add_product(z_nwB[bundle.own], W.transpose(1, 2), children, dtype)
        place, column = changes.of(stratum.number, stratum.rows.start, B)
        Z_RB[stratum.rows].view(-1).index_add_(0, place, own.gene[column], alpha=changes.sign)
        if config.layers == 2:
            for _, group in stratum.groups:
                z_nwB = X_RB[group.rows].view(-1, group.width, B)
                z_nwB.copy_(own.second_bias[group.rows].view(-1, group.width, 1).expand_as(z_nwB))
                y = Y_RB[group.rows]
                first = act.forward(y)
                if act.keeps_output:
                    y.copy_(first)
                _add_product(z_nwB, own.second_of(group), first.view_as(z_nwB), dtype)
        for chunk in stratum.chunks:
            x, o = X_RB[chunk.rows], O_RB[chunk.rows]
            norm = _Norm(config.norm, own, chunk)
            if config.norm_order == "act_norm":
                h = act.forward(x)
                o.copy_(norm.forward(h, training))
                if act.keeps_output:
                    x.copy_(h)
            else:
                o.copy_(act.forward(norm.forward(x, training)))
            for p in range(P):
                parts = o * own.head[chunk.rows, p, None]
                heads_TPB[chunk.terms, p] = segment_sum(parts, chunk.starts)
    heads = heads_TPB.index_select(0, indices.place).transpose(1, 2).contiguous()
    heads += own.head_bias[:, None, :]
    return [heads, own.mean, own.var, O_RB, X_RB, Y_RB]


@torch.library.custom_op("dcell::stratum_backward", mutates_args=())
def _backward(
    grad_heads: Tensor,
    weights: Sequence[Tensor],
    saved: Sequence[Tensor],
    term: Tensor,
    gene: Tensor,
    sample: Tensor,
    handle: int,
    training: bool,
    dtype: torch.dtype,
) -> list[Tensor]:
    """Gradients of all weights, in their order."""
    layout, own = SubsystemLayout.find(handle), Weights(*weights)
    config, act = layout.config, ACTIVATIONS[layout.config.activation]
    indices = Indices.of(layout, own.bias.device)
    O_RB, X_RB, Y_RB = saved
    B, P = O_RB.shape[1], own.head.shape[1]
    out = own.empty_like()
    out.head_bias = grad_heads.sum(1)
    G_RB = torch.zeros_like(O_RB)  # first the gradient of O, then that of the pre-activations
    grad_TPB = torch.empty(grad_heads.shape[0], P, B, dtype=O_RB.dtype, device=O_RB.device)
    grad_TPB[indices.place] = grad_heads.transpose(1, 2)
    changes = _GeneChanges(layout, indices, term, gene, sample)
    at_genes: list[tuple[Tensor, Tensor]] = []
    for stratum in _strata(layout, O_RB.device, B):
        for chunk in stratum.chunks:
            g, o, x = G_RB[chunk.rows], O_RB[chunk.rows], X_RB[chunk.rows]
            for p in range(P):
                wide = grad_TPB[chunk.terms, p].index_select(0, chunk.term_of_row)
                out.head[chunk.rows, p] = torch.linalg.vecdot(wide, o)
                g += wide.mul_(own.head[chunk.rows, p, None])
            norm = _Norm(config.norm, own, chunk)
            if config.norm_order == "act_norm":
                h = x if act.keeps_output else act.forward(x)
                g.copy_(act.backward(norm.backward(g, h, out, training), x))
            else:
                u = o if act.keeps_output else norm.forward(x)
                g.copy_(norm.backward(act.backward(g, u), x, out, training))
            if config.layers == 1:
                out.bias[chunk.rows] = g.sum(1)
        if config.layers == 2:
            for _, group in stratum.groups:
                g, y = G_RB[group.rows], Y_RB[group.rows]
                out.second_bias[group.rows] = g.sum(1)
                first = y if act.keeps_output else act.forward(y)
                g_nwB = g.view(-1, group.width, B)
                second = out.second_of(group).zero_()
                _add_product(second, g_nwB, first.view_as(g_nwB).transpose(1, 2), dtype)
                into = torch.zeros_like(g_nwB)
                _add_product(into, own.second_of(group).transpose(1, 2), g_nwB, dtype)
                g.copy_(act.backward(into.view_as(y), y))
                out.bias[group.rows] = g.sum(1)
        place, column = changes.of(stratum.number, stratum.rows.start, B)
        at_genes.append((column, G_RB[stratum.rows].view(-1).index_select(0, place)))
        for number, group in stratum.groups:
            w = group.width
            bias_nw = out.bias[group.rows].view(-1, w)
            if config.gene_input == "state":
                wild = out.genes_of(group)
                torch.index_select(bias_nw, 0, indices.term_of_gene[number], out=wild)
            g_nwB = G_RB[group.rows].view(-1, w, B)
            for bundle, rows in zip(group.bundles, indices.child_rows[number], strict=True):
                if bundle.fan_in == 0:
                    continue
                g = g_nwB[bundle.own]
                children = O_RB.index_select(0, rows).view(-1, bundle.fan_in, B)
                W = out.children_of(group)[bundle.inputs].view(-1, bundle.fan_in, w).zero_()
                _add_product(W, children, g.transpose(1, 2), dtype)
                into = children.zero_()
                W = own.children_of(group)[bundle.inputs].view(-1, bundle.fan_in, w)
                _add_product(into, W, g, dtype)
                G_RB.index_add_(0, rows, into.view(-1, B))
    if config.gene_input != "state":
        out.gene.zero_()
    for column, value in at_genes:
        out.gene.index_add_(0, column, value, alpha=changes.sign)
    return out.to_list()


@_forward.register_fake
def _(
    weights: Sequence[Tensor], term: Tensor, gene: Tensor, sample: Tensor, samples: int,
    handle: int, training: bool, dtype: torch.dtype,
) -> list[Tensor]:  # fmt: skip
    layout, own = SubsystemLayout.find(handle), Weights(*weights)
    state = (layout.num_rows, samples)
    return [
        own.bias.new_empty(layout.graph.num_terms, samples, own.head.shape[1]),
        torch.empty_like(own.mean),
        torch.empty_like(own.var),
        own.bias.new_empty(state),
        own.bias.new_empty(state),
        own.bias.new_empty(state if layout.config.layers == 2 else (0, 0)),
    ]


@_backward.register_fake
def _(
    grad_heads: Tensor, weights: Sequence[Tensor], saved: Sequence[Tensor], term: Tensor,
    gene: Tensor, sample: Tensor, handle: int, training: bool, dtype: torch.dtype,
) -> list[Tensor]:  # fmt: skip
    return Weights(*weights).empty_like().to_list()


def _save(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    weights, term, gene, sample, _, *settings = inputs
    ctx.set_materialize_grads(False)
    ctx.settings = settings
    # The statistics of this pass take the place of the running ones, which training moves.
    ctx.save_for_backward(term, gene, sample, *output[3:], *weights[:-2], *output[1:3])


def _differentiate(ctx: Any, gradients: list[Tensor | None]) -> tuple[Any, ...]:
    if gradients[0] is None:
        return (None,) * 8
    term, gene, sample, *others = ctx.saved_tensors
    out = _backward(gradients[0], others[3:], others[:3], term, gene, sample, *ctx.settings)
    return [*out[:-2], None, None], *(None,) * 7


_forward.register_autograd(_differentiate, setup_context=_save)
