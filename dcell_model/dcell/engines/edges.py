"""Differences along edges: from children to their parents, and gradients back.

In plain torch, run by run (see `engines.touched`). `tables` are those of `Walk`: one row an entry,
by width.

Shapes: of a run, E edges of b places, child width v, parents' width w.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dcell_model.dcell.engines.walk import Walk
from dcell_model.dcell.engines.weights import Weights


@dataclass(frozen=True, slots=True)
class Run:
    """Edges of one child width into one group, each with (or padded to) as many places.

    Attributes:
        edges, places: E and b.
        child_class: number of the children's width among the distinct ones.
        child, parent: `[E · b]`, see `Touched`.
        inputs: rows of the group's child weights: a slice for one edge, else `[E · v]`.
    """

    edges: int
    places: int
    child_class: int
    child: Tensor
    parent: Tensor
    inputs: slice | Tensor

    @property
    def width(self) -> int:
        """The children's width v."""
        if isinstance(self.inputs, slice):
            return int(self.inputs.stop - self.inputs.start)
        return len(self.inputs) // self.edges

    @property
    def all_inputs(self) -> Tensor:
        """`[E · v]` rows of the group's child weights."""
        if isinstance(self.inputs, slice):
            return torch.arange(self.inputs.start, self.inputs.stop, device=self.child.device)
        return self.inputs

    def children(self, table_Nv: Tensor) -> Tensor:
        """`[E, b, v]` entries of the children."""
        return table_Nv.index_select(0, self.child).view(self.edges, self.places, -1)

    def parents(self, table_Nw: Tensor) -> Tensor:
        """`[E, b, w]` entries of the parents."""
        return table_Nw.index_select(0, self.parent).view(self.edges, self.places, -1)

    def weights(self, weights_Kw: Tensor) -> Tensor:
        """`[E, v, w]` weights of the edges."""
        if isinstance(self.inputs, slice):
            return weights_Kw[self.inputs][None]
        rows = weights_Kw.index_select(0, self.inputs)
        return rows.view(self.edges, -1, weights_Kw.shape[1])

    def add_weights(self, weights_Kw: Tensor, values_Evw: Tensor) -> None:
        """Add to the weights of the edges in place."""
        if isinstance(self.inputs, slice):
            weights_Kw[self.inputs] += values_Evw[0]
        else:
            weights_Kw.index_add_(0, self.inputs, values_Evw.flatten(0, 1))


class Edges:
    """The edges of a batch as batched matrix products."""

    def __init__(self, walk: Walk, dtype: torch.dtype) -> None:
        self.walk, self.dtype = walk, dtype
        self._edge_input = walk.at.edge_input.tolist()
        self._runs: list[list[Run]] = [[] for _ in walk.entries]
        for run in walk.at.runs.tolist():
            group, value = self._run(*run)
            self._runs[group].append(value)

    def of_group(self, number: int) -> list[Run]:
        """The runs that end in a group's terms."""
        return self._runs[number]

    def _run(self, number: int, b: int, E: int, edge: int, place: int) -> tuple[int, Run]:
        at, ranks = self.walk.at, self.walk.ranks
        group, child_class = ranks.sets[number]
        v = int(ranks.widths[child_class])
        inputs: slice | Tensor
        if E == 1:
            inputs = slice(self._edge_input[edge], self._edge_input[edge] + v)
        else:
            first = at.edge_input[edge : edge + E]
            inputs = (first[:, None] + torch.arange(v, device=first.device)).view(-1)
        places = slice(place, place + E * b)
        return group, Run(E, b, child_class, at.child[places], at.parent[places], inputs)

    def collect(self, stratum: int, own: Weights, D_flat: Tensor, d_flat: Tensor) -> None:
        """Put d = Σ over touched children of W D in place, for all terms of a stratum."""
        D, d = self.walk.split(D_flat), self.walk.split(d_flat)
        for at in self.walk.strata[stratum]:
            d[at.class_number][at.rows].zero_()
            weights_Kw, to = own.children_of(at.group), d[at.class_number]
            for run in self._runs[at.number]:
                product = self._product(run.children(D[run.child_class]), run.weights(weights_Kw))
                to.index_add_(0, run.parent, product.to(to.dtype).flatten(0, 1))

    def after(
        self, stratum: int, own: Weights, out: Weights, tables: tuple[Tensor, Tensor, Tensor]
    ) -> None:
        """Called after the backward pass of a stratum, with D and the gradients of d and D, flat.

        Adds to the gradients of the stratum's child weights in `out`, and to those of the
        children's D.
        """
        D, grad_d, grad_D = (self.walk.split(flat) for flat in tables)
        for at in self.walk.strata[stratum]:
            weights_Kw, grad_Kw = own.children_of(at.group), out.children_of(at.group)
            for run in self._runs[at.number]:
                g = run.parents(grad_d[at.class_number])
                children = run.children(D[run.child_class])
                product = self._product(children.transpose(1, 2), g)
                run.add_weights(grad_Kw, product.to(grad_Kw.dtype))
                back = self._product(g, run.weights(weights_Kw).transpose(1, 2))
                to = grad_D[run.child_class]
                to.index_add_(0, run.child, back.to(to.dtype).flatten(0, 1))

    def _product(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.bmm(a.to(self.dtype), b.to(self.dtype))
