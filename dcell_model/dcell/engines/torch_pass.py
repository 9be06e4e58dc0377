"""Only what the deletions touch, in torch: where neither C++ nor Triton runs the columns.

The equations are those of `engines.native_pass`, with a column for each touched (term, sample), an
entry (see `engines.touched`): every variant, device and precision is served, and several processes
that share batch statistics.

Shapes: T terms, R rows, N entries of a group, n its terms, w its width, P phenotypes; of a run: E
edges of b places, child width v.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from dcell_model.data import MutantStateBatch
from dcell_model.dcell.activations import ACTIVATIONS
from dcell_model.dcell.engines import differences
from dcell_model.dcell.engines.derivative import register_backward
from dcell_model.dcell.engines.edges import Edges
from dcell_model.dcell.engines.indices import segment_sum
from dcell_model.dcell.engines.processes import samples_everywhere
from dcell_model.dcell.engines.touched import Touched, dynamic, touch
from dcell_model.dcell.engines.walk import Entries, Walk
from dcell_model.dcell.engines.weights import Weights, product_dtype, update_running_statistics
from dcell_model.dcell.heads import ColumnHeads
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.parameters import DCellParameters


def forward(model: DCellParameters, batch: MutantStateBatch) -> ColumnHeads:
    """Predictions of all heads, as the wild type's and the differences from it."""
    return _run(model, batch)[0]


def forward_with_states(
    model: DCellParameters, batch: MutantStateBatch
) -> tuple[ColumnHeads, Tensor]:
    """The same, and `[N]` the root mean square of each entry's differences."""
    heads, touched, outputs = _run(model, batch)
    walk = Walk(model.layout.handle, touched, model.bias.device)
    D = walk.split(outputs[7])
    changes = outputs[1].new_empty(len(walk.at.rank))
    for at in walk.entries:
        changes[at.all_rows] = D[at.class_number][at.rows].square().mean(1).sqrt()
    return heads, changes


def _run(
    model: DCellParameters, batch: MutantStateBatch
) -> tuple[ColumnHeads, list[Tensor], list[Tensor]]:
    """The heads, the fields of `Touched`, and all that the operator returns."""
    weights = Weights.of(model)
    dtype = product_dtype(model.bias.device) or model.bias.dtype
    touched = touch(batch.term, batch.gene, batch.sample, batch.deleted_sample,
                     batch.deleted_gene, len(batch), model.layout.handle, batch.state)  # fmt: skip
    known = model.wild_type_cache.get(model)
    everywhere = samples_everywhere(model, len(batch))
    with torch.autocast(model.bias.device.type, enabled=False):  # the operator sees to its types
        outputs = _forward(
            weights.to_list(), touched, known, len(batch), everywhere, model.layout.handle,
            model.training, dtype,
        )  # fmt: skip
    wild, difference, mean, var, first, *_ = outputs
    model.wild_type_cache.put(model, first)
    if model.training and model.config.norm == "batch":
        update_running_statistics(model, mean, var, everywhere)
    at = Touched(*touched)
    heads = ColumnHeads(
        wild_type=wild,
        difference=difference,
        term=at.term,
        count=torch.ones_like(at.term),
        sample=at.sample,
        column=torch.arange(len(at.term), device=at.term.device),
        samples=len(batch),
    )
    return heads, touched, outputs


@torch.library.custom_op("dcell::incremental", mutates_args=())
def _forward(
    weights: Sequence[Tensor],
    touched: Sequence[Tensor],
    known: Tensor,
    samples: int,
    everywhere: int,
    handle: int,
    training: bool,
    dtype: torch.dtype,
) -> list[Tensor]:
    """Heads of the wild type `[T, P]` and differences `[N, P]`, and what backward needs.

    Between them stand mean and variance of the batch `[R]` and the wild type's pre-activations
    `[R]`, which are taken from `known` if that is not empty.
    """
    own = Weights(*weights)
    walk = Walk(handle, touched, own.bias.device)
    layout, config = walk.layout, walk.layout.config
    act = ACTIVATIONS[config.activation]
    sign = -1 if config.gene_input == "state" else 1
    edges = Edges(walk, dtype)
    D_flat = walk.tables(own.bias)  # differences of all outputs
    X_flat = walk.tables(own.bias)  # what norm and activation are differentiated with
    Y_flat = walk.tables(own.bias) if config.layers == 2 else own.bias.new_empty(0)  # first layer's
    tables, inputs = walk.split(D_flat), walk.split(X_flat)
    difference = own.bias.new_empty(len(walk.at.rank), own.head.shape[1])
    O_R, Z_R, first_R = (own.bias.new_empty(layout.num_rows) for _ in range(3))
    own.mean, own.var = own.mean.clone(), own.var.clone()
    for stratum in reversed(range(len(walk.strata))):
        edges.collect(stratum, own, D_flat, X_flat)
        for at in walk.strata[stratum]:
            group, w = at.group, at.group.width
            z_wt, x = first_R[group.rows].view(-1, w), inputs[at.class_number][at.rows]
            if known.numel():
                z_wt.copy_(known[group.rows].view_as(z_wt))
            else:
                _wild_type(walk, own, at, O_R, z_wt)
            changes = at.sized(own.genes_of(group).index_select(0, at.change_input))
            d = x.index_add_(0, at.change_entry, changes, alpha=sign)
            if config.layers == 2:
                y_wt, first = differences.activate(act, at, z_wt, d)
                walk.split(Y_flat)[at.class_number][at.rows] = first if act.keeps_output else d
                second = own.second_of(group)
                z_wt = torch.bmm(second, y_wt[:, :, None])[:, :, 0]
                z_wt = z_wt + own.second_bias[group.rows].view(-1, w)
                d = x.copy_(by_term(at, first, second.transpose(1, 2), dtype))
            norm = differences.Norm(config.norm, own, at, (samples, everywhere), training)
            if config.norm_order == "act_norm":
                h_wt, h = differences.activate(act, at, z_wt, d)
                o_wt, D = norm.forward(h_wt, h, training)
                if act.keeps_output:
                    x.copy_(h)
            else:
                o_wt, D = differences.activate(act, at, *norm.forward(z_wt, d, training))
            tables[at.class_number][at.rows] = D
            for p in range(own.head.shape[1]):
                parts = at.times(D, own.head_of(group)[:, :, p])
                torch.sum(parts, 1, out=difference[at.all_rows, p])
            Z_R[group.rows], O_R[group.rows] = z_wt.reshape(-1), o_wt.reshape(-1)
    parts = own.head * O_R[:, None]
    wild = own.head_bias.clone().index_add_(0, walk.indices.term_of_row, parts)
    return [wild, difference, own.mean, own.var, first_R, Z_R, O_R, D_flat, X_flat, Y_flat]


def by_term(at: Entries, x_Nv: Tensor, weights_nvw: Tensor, dtype: torch.dtype) -> Tensor:
    """`[N, w]`: the entries of every term times the term's own matrix."""
    counts = at.starts.diff().tolist()
    parts = zip(x_Nv.to(dtype).split(counts), weights_nvw.to(dtype).unbind(0), strict=True)
    return torch.cat([x @ weight for x, weight in parts]).to(x_Nv.dtype)


def _outer_by_term(at: Entries, g_Nw: Tensor, x_Nv: Tensor, dtype: torch.dtype) -> Tensor:
    """`[n, w, v]`: the gradient of the matrices of `by_term`."""
    counts = at.starts.diff().tolist()
    parts = zip(g_Nw.to(dtype).split(counts), x_Nv.to(dtype).split(counts), strict=True)
    return torch.stack([g.t() @ x for g, x in parts]).to(x_Nv.dtype)


def _wild_type(walk: Walk, own: Weights, at: Entries, O_R: Tensor, z_wt: Tensor) -> None:
    """Put the wild type's pre-activations `[n, w]` of a group in place."""
    group, w = at.group, at.group.width
    z_wt.copy_(own.bias[group.rows].view(-1, w))
    if walk.layout.config.gene_input == "state":
        z_wt += segment_sum(own.genes_of(group), walk.indices.genes[at.number])
    for bundle, rows in zip(group.bundles, walk.indices.child_rows[at.number], strict=True):
        if bundle.fan_in:
            children = O_R.index_select(0, rows).view(-1, 1, bundle.fan_in)
            weights = own.children_of(group)[bundle.inputs].view(-1, bundle.fan_in, w)
            z_wt[bundle.own] += torch.bmm(children, weights)[:, 0]


@torch.library.custom_op("dcell::incremental_backward", mutates_args=())
def _backward(
    grad_wild: Tensor,
    grad_difference: Tensor,
    weights: Sequence[Tensor],
    touched: Sequence[Tensor],
    saved: Sequence[Tensor],
    samples: int,
    everywhere: int,
    handle: int,
    training: bool,
    dtype: torch.dtype,
) -> list[Tensor]:
    """Gradients of all weights, in their order."""
    own = Weights(*weights)
    walk = Walk(handle, touched, own.bias.device)
    config = walk.layout.config
    act = ACTIVATIONS[config.activation]
    sign = -1 if config.gene_input == "state" else 1
    first_R, Z_R, O_R, D_flat, X_flat, Y_flat = saved
    tables, inputs = walk.split(D_flat), walk.split(X_flat)
    edges = Edges(walk, dtype)
    grad_D_flat = torch.zeros_like(D_flat)  # complete for a term when all its parents are done
    grad_d_flat = walk.tables(own.bias)
    gradients, grad_d = walk.split(grad_D_flat), walk.split(grad_d_flat)
    out = own.empty_like()
    wild = grad_wild.index_select(0, walk.indices.term_of_row)
    grad_O_R = (own.head * wild).sum(1)  # of the wild type's outputs
    out.head, out.head_bias = wild * O_R[:, None], grad_wild.clone()
    for stratum in range(len(walk.strata)):
        for at in walk.strata[stratum]:
            group, w = at.group, at.group.width
            D, x = tables[at.class_number][at.rows], inputs[at.class_number][at.rows]
            z_wt, o_wt = Z_R[group.rows].view(-1, w), O_R[group.rows].view(-1, w)
            grad_D = gradients[at.class_number][at.rows]
            for p in range(own.head.shape[1]):
                grad_head = grad_difference[at.all_rows, p, None]
                out.head_of(group)[:, :, p] += at.total(D * grad_head)
                grad_D += at.each(own.head_of(group)[:, :, p]) * grad_head
            g = grad_O_R[group.rows].view(-1, w), grad_D
            norm = differences.Norm(config.norm, own, at, (samples, everywhere), training)
            if config.norm_order == "act_norm":
                h_wt, h = act.forward(z_wt), x
                if not act.keeps_output:
                    h_wt, h = differences.activate(act, at, z_wt, x)
                g = norm.backward(g, h_wt, h, out)
                g = differences.activate_backward(act, at, g, h_wt if act.keeps_output else z_wt, x)
            else:
                keep = (o_wt, D) if act.keeps_output else norm.forward(z_wt, x)
                g = differences.activate_backward(act, at, g, *keep)
                g = norm.backward(g, z_wt, x, out)
            if config.layers == 2:
                z_wt = first_R[group.rows].view(-1, w)
                first = walk.split(Y_flat)[at.class_number][at.rows]
                out.second_bias[group.rows] = g[0].reshape(-1)
                y_wt, y = act.forward(z_wt), first
                if not act.keeps_output:
                    y_wt, y = differences.activate(act, at, z_wt, first)
                second = torch.bmm(g[0][:, :, None], y_wt[:, None, :])
                out.second_of(group).copy_(second + _outer_by_term(at, g[1], y, dtype))
                weights_nww = own.second_of(group)
                g_wt = torch.bmm(g[0][:, None, :], weights_nww)[:, 0]
                g = g_wt, by_term(at, g[1], weights_nww, dtype)
                g = differences.activate_backward(
                    act, at, g, y_wt if act.keeps_output else z_wt, first
                )
            grad_wt, grad = g
            out.bias[group.rows] = grad_wt.reshape(-1)
            genes_Mw = out.genes_of(group)
            if config.gene_input == "state":
                torch.index_select(grad_wt, 0, walk.indices.term_of_gene[at.number], out=genes_Mw)
            else:
                genes_Mw.zero_()
            to_genes = at.sized(grad[at.change_entry])
            genes_Mw.index_add_(0, at.change_input, to_genes, alpha=sign)
            _wild_type_backward(walk, own, out, at, grad_wt, O_R, grad_O_R)
            grad_d[at.class_number][at.rows] = grad
        edges.after(stratum, own, out, (D_flat, grad_d_flat, grad_D_flat))
    return out.to_list()


def _wild_type_backward(
    walk: Walk,
    own: Weights,
    out: Weights,
    at: Entries,
    grad_nw: Tensor,
    O_R: Tensor,
    grad_R: Tensor,
) -> None:
    """Put the wild type's part of the child weights' gradient in place; add to its children's."""
    w, indices = at.group.width, walk.indices.child_rows[at.number]
    for bundle, rows in zip(at.group.bundles, indices, strict=True):
        if bundle.fan_in:
            grad = grad_nw[bundle.own]
            children = O_R.index_select(0, rows).view(-1, bundle.fan_in, 1)
            to = out.children_of(at.group)[bundle.inputs].view(-1, bundle.fan_in, w)
            torch.mul(children, grad[:, None, :], out=to)
            weights = own.children_of(at.group)[bundle.inputs].view(-1, bundle.fan_in, w)
            grad_R.index_add_(0, rows, torch.bmm(weights, grad[:, :, None]).view(-1))


@_forward.register_fake
def _(
    weights: Sequence[Tensor], touched: Sequence[Tensor], known: Tensor, samples: int,
    everywhere: int, handle: int, training: bool, dtype: torch.dtype,
) -> list[Tensor]:  # fmt: skip
    layout, own = SubsystemLayout.find(handle), Weights(*weights)
    entries = Touched(*touched).rank.shape[0]
    D_flat = dynamic(own.bias)
    rows = [own.bias.new_empty(layout.num_rows) for _ in range(3)]
    return [
        torch.empty_like(own.head_bias),
        own.head.new_empty(entries, own.head.shape[1]),
        torch.empty_like(own.mean),
        torch.empty_like(own.var),
        *rows,
        D_flat,
        torch.empty_like(D_flat),
        torch.empty_like(D_flat) if layout.config.layers == 2 else own.bias.new_empty(0),
    ]


@_backward.register_fake
def _(
    grad_wild: Tensor, grad_difference: Tensor, weights: Sequence[Tensor],
    touched: Sequence[Tensor], saved: Sequence[Tensor], samples: int,
    everywhere: int, handle: int, training: bool, dtype: torch.dtype,
) -> list[Tensor]:  # fmt: skip
    return Weights(*weights).empty_like().to_list()


register_backward(_forward, _backward)
