"""The terms of a hierarchy by width, and the edges between them, as engines walk them."""

import numpy as np
import torch
from torch import Tensor

from dcell_model.dcell.layout import SubsystemLayout


class Ranks:
    """The terms of a layout by width, and the edges between them; the same for all batches.

    Attributes:
        terms: `[T]` term of every rank.
        rank: `[T]` rank of every term.
        widths: the distinct widths W, ascending; `classes` are the slices of their ranks.
        groups: slice of the ranks of every group.
        edge_child, edge_parent: `[E]` ranks.
        edge_input: `[E]` row of the group's child weights where the edge's weights begin.
        edge_set: `[E]` number of the set, sorted; edges of a set have equal group and child width.
        sets: group and width class of the children, by set.
        set_area: `[sets]` weights of an edge, child width times width.
        pair_input: `[M]` row of the group's gene weights of each row m of the mutant state.
        pair_key: `[M]` term · G + gene, sorted.
        touched_starts, touched_ranks: ranks that each gene touches, one gene after the other.
    """

    @classmethod
    def of(cls, layout: SubsystemLayout) -> "Ranks":
        """The ranks of a layout, made once."""
        return layout.once(cls, lambda: cls(layout))

    def __init__(self, layout: SubsystemLayout) -> None:
        self._on_device: dict[tuple[str, torch.device], Tensor] = {}
        graph, widths = layout.graph, layout.widths
        self.terms = np.lexsort((layout.place, widths))
        self.rank = np.argsort(self.terms)
        self.widths, first = np.unique(widths[self.terms], return_index=True)
        ends = [*first[1:], graph.num_terms]
        self.classes = [slice(int(a), int(b)) for a, b in zip(first, ends, strict=True)]
        starts = [int(self.rank[group.terms[0]]) for group in layout.groups]
        self.groups = [
            slice(start, start + len(group.terms))
            for start, group in zip(starts, layout.groups, strict=True)
        ]
        group_of_rank = np.empty(graph.num_terms, dtype=np.int64)
        for number, ranks in enumerate(self.groups):
            group_of_rank[ranks] = number
        self.class_of_rank = np.searchsorted(self.widths, widths[self.terms])
        self.group_of_rank = group_of_rank
        self._edges(layout)
        term = graph.annotations[:, 0]
        group_first = np.array([group.gene_weights.start for group in layout.groups])
        offset = layout.first_gene_weight - group_first[group_of_rank[self.rank[term]]]
        self.pair_input = offset // widths[term]
        self.pair_key = graph.row_keys
        self._closure(layout)

    def on(self, device: torch.device, name: str) -> Tensor:
        """An attribute as a tensor on a device, copied there once."""
        if (name, device) not in self._on_device:
            self._on_device[name, device] = torch.tensor(getattr(self, name), device=device)
        return self._on_device[name, device]

    def _edges(self, layout: SubsystemLayout) -> None:
        parts: list[tuple[int, int, int]] = []
        for term, children in enumerate(layout.children):
            before = 0
            for own in children:
                parts.append((own, term, before))
                before += int(layout.widths[own])
        child, parent, before_child = np.array(parts, dtype=np.int64).reshape(-1, 3).T
        group = self.group_of_rank[self.rank[parent]]
        group_first = np.array([group.child_weights.start for group in layout.groups])
        first_input = (layout.first_weight[parent] - group_first[group]) // layout.widths[parent]
        child_class = self.class_of_rank[self.rank[child]]
        order = np.lexsort((child, parent, child_class, group))
        keys = np.stack([group, child_class], axis=1)[order]
        new = np.any(np.diff(keys, axis=0) != 0, axis=1)
        self.edge_child, self.edge_parent = self.rank[child[order]], self.rank[parent[order]]
        self.edge_input = (first_input + before_child)[order]
        self.edge_set = np.concatenate([[0], np.cumsum(new)])[: len(order)]
        first = np.flatnonzero(np.concatenate([[True], new]))[: len(order)]
        self.sets = [(int(g), int(c)) for g, c in keys[first]]
        widths = np.array([group.width for group in layout.groups])
        self.set_area = widths[keys[first, 0]] * self.widths[keys[first, 1]]

    def _closure(self, layout: SubsystemLayout) -> None:
        graph = layout.graph
        touched = np.zeros((graph.num_terms, graph.num_genes), dtype=bool)
        touched[graph.annotations[:, 0], graph.annotations[:, 1]] = True
        for parent in reversed(range(graph.num_terms)):  # children have larger indices
            for child in layout.children[parent]:
                touched[parent] |= touched[child]
        gene, rank = np.nonzero(touched[self.terms].T)
        self.touched_ranks = rank
        self.touched_starts = np.searchsorted(gene, np.arange(graph.num_genes + 1))
