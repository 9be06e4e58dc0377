"""Every Triton kernel's plain twin in torch: it takes what the kernel takes, and does the same.

Written from the equations of `engines.native_pass`, term by term; what a kernel sums over lists of
rows is looked up row by row here, and gradients of activation and norm are autograd's.
"""

from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor

from dcell_model.dcell.activations import ACTIVATIONS
from dcell_model.dcell.layout import NORM_EPS

ACTS = [ACTIVATIONS[name].forward for name in ("tanh", "relu", "gelu")]


class Given(SimpleNamespace):
    """The arguments of one launch by name, without `_ptr`."""

    def names(self, tile: Tensor) -> list[int]:
        """The distinct edges or ranks of tiles, without those that have nothing to do."""
        return sorted({int(name) for name in tile if name >= 0})

    def rows(self, rank: int) -> slice:
        return slice(int(self.row_start[rank]), int(self.row_start[rank + 1]))

    def table(self, flat: Tensor, rank: int) -> Tensor:
        """`[rows, w]` of a rank, a view."""
        rows, width = self.rows(rank), int(self.width[rank])
        first = int(self.number[rank])
        return flat[first : first + (rows.stop - rows.start) * width].view(-1, width)

    def of_edge(self, flat: Tensor, edge: int) -> Tensor:
        """`[places, w]` of an edge, a view."""
        first, end = self.product[edge : edge + 2].tolist()
        return flat[first:end].view(-1, int(self.width[self.parent[edge]]))

    def weights(self, flat: Tensor, edge: int, child: int) -> Tensor:
        """`[child width, w]` of an edge, a view."""
        v, w = int(self.width[child]), int(self.width[self.parent[edge]])
        first = int(self.edge_weight[edge])
        return flat[first : first + v * w].view(v, w)

    def genes(self, flat: Tensor, rank: int) -> Tensor:
        """`[direct genes, w]` of a rank, a view."""
        count, w = int(self.pair[rank + 1] - self.pair[rank]), int(self.width[rank])
        first = int(self.first_gene[rank])
        return flat[first : first + count * w].view(count, w)

    def neurons(self, rank: int) -> slice:
        first = int(self.row[rank])
        return slice(first, first + int(self.width[rank]))


def listed(index: Tensor, start: Tensor, item: int) -> Tensor:
    return index[int(start[item]) : int(start[item + 1])].long()


def wild_type_genes(at: Given) -> None:
    for rank in at.names(at.tile_rank):
        own = at.neurons(rank)
        at.first[own] = at.bias[own]
        if at.STATE:
            at.first[own] += at.genes(at.gene, rank).sum(0)


def products_of_edges(at: Given) -> None:
    for edge in at.names(at.tile_edge):
        child = int(at.child[edge])
        at.of_edge(at.places, edge)[:] = at.table(at.D, child) @ at.weights(at.weight, edge, child)


def through(at: Given, rank: int, z: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What norm and activation make of a wild type `[w]` and differences `[n, w]`.

    Returns outputs `[w]` and differences `[n, w]`; shift and variance of the differences.
    """
    own, rows, act = at.neurons(rank), at.rows(rank), ACTS[at.ACT]
    shared = at.shared[rows].to(z.dtype)

    def norm(x: Tensor, change: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if not at.BATCH_NORM:
            return x, change, x * 0, x * 0
        if at.TRAINING:
            every = torch.cat([change, change.new_zeros(1, len(x))])
            shift = (every * shared[:, None]).sum(0) / at.samples[0]
            var = ((every - shift).square() * shared[:, None]).sum(0) / at.samples[0]
            mean = x + shift
        else:
            shift = var = at.var[own]
            mean = at.mean[own]
        scale = at.norm[own] / (var + NORM_EPS).sqrt()
        return (x - mean) * scale + at.norm_bias[own], change * scale, shift, var

    def activation(x: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
        return act(x), act(x + change) - act(x)

    if at.NORM_FIRST:
        y, h, shift, var = norm(z, d)
        return *activation(y, h), shift, var
    return norm(*activation(z, d))


def outputs_of_terms(at: Given) -> None:
    for rank in at.names(at.tile_rank):
        own, rows = at.neurons(rank), at.rows(rank)
        width = int(at.width[rank])
        first = int(at.product[int(at.down[rank])])
        end = int(at.product[int(at.down[rank + 1])])
        places, genes = at.places[first:end].view(-1, width), at.gene[int(at.first_gene[rank]) :]
        table, keep = at.table(at.D, rank), at.table(at.X, rank)
        d = torch.zeros(len(table) - 1, width, dtype=table.dtype)
        for place, row in enumerate(range(rows.start, rows.stop - 1)):
            d[place] = places[listed(at.link_place, at.link_start, row)].sum(0)
            for gene in listed(at.change_gene, at.change_start, row).tolist():
                weights = genes[gene * width : (gene + 1) * width]
                d[place] += -weights if at.STATE else weights
        if not at.KNOWN:
            at.first[own] += places[listed(at.link_place, at.link_start, rows.stop - 1)].sum(0)
        z = at.first[own]
        out, D, shift, var = through(at, rank, z, d)
        table[:] = torch.cat([D, out[None]])
        act = ACTS[at.ACT]
        keep[:-1] = d if at.NORM_FIRST or not at.KEEPS_OUTPUT else act(z + d) - act(z)
        if at.BATCH_NORM and at.TRAINING:
            at.moments.view(2, -1)[:, own] = torch.stack([shift, var]).double()
            at.mean[own] = (z if at.NORM_FIRST else act(z)) + shift
            at.var[own] = var


def heads_of_rows(at: Given) -> None:
    for rank in at.names(at.tile_rank):
        heads = at.table(at.D, rank) @ at.head[at.neurons(rank)]
        first = at.rows(rank).start - rank
        at.difference[first : first + len(heads) - 1] = heads[:-1]
        term = int(at.term[rank])
        at.wild[term] = heads[-1] + at.head_bias[term]


def gradients_of_rows(at: Given) -> None:
    for rank in at.names(at.tile_rank):
        to, first = at.table(at.grad, rank), at.rows(rank).start - rank
        given = at.grad_difference[first : first + len(to) - 1]
        given = torch.cat([given, at.grad_wild[int(at.term[rank])][None]])
        to[:] = given @ at.head[at.neurons(rank)].t()
        for edge in listed(at.up_edge, at.up, rank).tolist():
            to += at.of_edge(at.carried, edge) @ at.weights(at.weight, edge, rank).t()


def gradients_of_terms(at: Given) -> None:
    for rank in at.names(at.tile_rank):
        own, to = at.neurons(rank), at.table(at.grad, rank)
        keep = at.table(at.X, rank)[:-1]
        z = at.first[own].clone().requires_grad_()
        d = keep.clone()
        if not at.NORM_FIRST and at.KEEPS_OUTPUT:  # undo the activation, where it can be undone
            inverse = {0: torch.atanh, 1: lambda y: torch.where(y > 0, y, -1)}[at.ACT]
            d = inverse(ACTS[at.ACT](z.detach()) + keep) - z.detach()
        d.requires_grad_()
        at.norm, at.norm_bias = (t.clone().requires_grad_() for t in (at.norm, at.norm_bias))
        out, D, *_ = through(at, rank, z, d)
        loss = (out * to[-1]).sum() + (D * to[:-1]).sum()
        inputs = [z, d, *([at.norm, at.norm_bias] if at.BATCH_NORM else [])]
        gradients = torch.autograd.grad(loss, inputs)
        to[:] = torch.cat([gradients[1], gradients[0][None]])
        at.grad_bias[own] = gradients[0]
        if at.BATCH_NORM:
            at.grad_norm[own], at.grad_norm_bias[own] = gradients[2][own], gradients[3][own]


def pull_along_edges(at: Given) -> None:
    for edge in at.names(at.tile_edge):
        to, width = at.of_edge(at.carried, edge), int(at.width[at.parent[edge]])
        rest = at.grad[int(at.number[at.parent[edge]]) :]
        source = rest[: len(rest) // width * width].view(-1, width)
        for place in range(len(to)):
            rows = listed(at.pull_row, at.pull_start, int(at.first_place[edge]) + place)
            to[place] = source[rows].sum(0)


def gradients_of_edges(at: Given) -> None:
    for edge in at.names(at.tile_edge):
        child, carried = int(at.child[edge]), at.of_edge(at.carried, edge)
        at.weights(at.grad, edge, child)[:] = at.table(at.D, child).t() @ carried


def gradients_of_genes(at: Given) -> None:
    for rank in at.names(at.tile_rank):
        to, source = at.genes(at.to, rank), at.table(at.grad, rank)
        for gene in range(len(to)):
            rows = listed(at.pair_row, at.pair_start, int(at.pair[rank]) + gene)
            total = source[rows].sum(0)
            to[gene] = source[-1] - total if at.STATE else total


def gradients_of_heads(at: Given) -> None:
    for rank in at.names(at.tile_rank):
        D, first = at.table(at.D, rank), at.rows(rank).start - rank
        given = at.grad_difference[first : first + len(D) - 1]
        given = torch.cat([given, at.grad_wild[int(at.term[rank])][None]])
        at.to[at.neurons(rank)] = D.t() @ given


TWINS: dict[str, Callable[[Given], None]] = {
    twin.__name__: twin
    for twin in (
        wild_type_genes, products_of_edges, outputs_of_terms, heads_of_rows, gradients_of_rows,
        gradients_of_terms, pull_along_edges, gradients_of_edges, gradients_of_genes,
        gradients_of_heads,
    )
}  # fmt: skip
