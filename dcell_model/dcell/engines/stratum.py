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

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dcell_model.data import MutantStateBatch
from dcell_model.dcell.activations import ACTIVATIONS
from dcell_model.dcell.engines.chunks import Norm, strata_of
from dcell_model.dcell.engines.indices import Indices, segment_sum
from dcell_model.dcell.engines.processes import samples_everywhere
from dcell_model.dcell.engines.weights import Weights, product_dtype, update_running_statistics
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.parameters import DCellParameters


def forward(model: DCellParameters, batch: MutantStateBatch) -> Tensor:
    """`[T, B, P]` predictions of all heads."""
    weights = Weights.of(model)
    dtype = product_dtype(model.bias.device) or model.bias.dtype
    everywhere = samples_everywhere(model, len(batch))
    with torch.autocast(model.bias.device.type, enabled=False):  # the operator sees to its types
        heads, mean, var, *_ = _forward(
            weights.to_list(), batch.term, batch.gene, batch.sample, len(batch),
            everywhere, model.layout.handle, model.training, dtype,
        )  # fmt: skip
    if model.training and model.config.norm == "batch":
        update_running_statistics(model, mean, var, everywhere)
    predictions: Tensor = heads
    return predictions


class _GeneChanges:
    """What the deleted genes change in the pre-activations, one entry a (neuron, sample)."""

    def __init__(
        self, layout: SubsystemLayout, indices: Indices, term: Tensor, gene: Tensor, sample: Tensor
    ) -> None:
        term, order = term.sort(stable=True)  # terms are sorted by stratum
        pair = torch.searchsorted(indices.pair_key, term * layout.graph.num_genes + gene[order])
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


@torch.library.custom_op("dcell::stratum", mutates_args=())
def _forward(
    weights: Sequence[Tensor],
    term: Tensor,
    gene: Tensor,
    sample: Tensor,
    samples: int,
    everywhere: int,
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
    for stratum in reversed(strata_of(layout, O_RB.device, everywhere)):
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
            norm = Norm(config.norm, own, chunk, everywhere)
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
    everywhere: int,
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
    for stratum in strata_of(layout, O_RB.device, everywhere):
        for chunk in stratum.chunks:
            g, o, x = G_RB[chunk.rows], O_RB[chunk.rows], X_RB[chunk.rows]
            for p in range(P):
                wide = grad_TPB[chunk.terms, p].index_select(0, chunk.term_of_row)
                out.head[chunk.rows, p] = torch.linalg.vecdot(wide, o)
                g += wide.mul_(own.head[chunk.rows, p, None])
            norm = Norm(config.norm, own, chunk, everywhere)
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
    everywhere: int, handle: int, training: bool, dtype: torch.dtype,
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
    gene: Tensor, sample: Tensor, everywhere: int, handle: int, training: bool,
    dtype: torch.dtype,
) -> list[Tensor]:  # fmt: skip
    return Weights(*weights).empty_like().to_list()


def _save(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    weights, term, gene, sample, _, *settings = inputs
    ctx.set_materialize_grads(False)
    ctx.settings = settings
    # The statistics of this pass take the place of the running ones, which training moves.
    ctx.save_for_backward(term, gene, sample, *output[3:], *weights[:-2], *output[1:3])


def _differentiate(ctx: Any, gradients: list[Tensor | None]) -> tuple[Any, ...]:
    term, gene, sample, *others = ctx.saved_tensors
    if gradients[0] is None:
        return [None] * len(others[3:]), *(None,) * 8
    with torch.autocast(term.device.type, enabled=False):
        out = _backward(gradients[0], others[3:], others[:3], term, gene, sample, *ctx.settings)
    return [*out[:-2], None, None], *(None,) * 8


_forward.register_autograd(_differentiate, setup_context=_save)
