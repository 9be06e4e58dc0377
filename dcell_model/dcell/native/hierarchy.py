"""A layout as the native pass takes it (`hierarchy.h`)."""

import ctypes

import numpy as np
import numpy.typing as npt

from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.ranks import Ranks

_INT32 = (
    "width", "term", "stratum", "rank_of_place", "direct_genes", "edge_child", "edge_parent",
    "edges_up", "edges_down", "down", "touched_ranks", "direct_ranks",
)  # fmt: skip
_FIELDS = (
    "width", "term", "stratum", "row", "rank_of_place", "first_gene", "direct_genes",
    "first_second", "edge_child", "edge_parent", "edge_weight", "edges_up", "edges_down", "down",
    "touched_starts", "touched_ranks", "direct_starts", "direct_ranks", "direct_weight",
)  # fmt: skip


class _Struct(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int32) for name in ("terms", "edges", "genes", "strata")),
        *((name, ctypes.c_void_p) for name in _FIELDS),
    ]


class NativeHierarchy:
    """The struct `Hierarchy` of a layout and the arrays that it points to.

    Attributes:
        struct: what functions of the library take; it points to arrays of this object.
        address: of the struct, as a call takes it.
        arrays: all of the struct, by its names; the order of `down` is that of the edges on a GPU.
        terms: `[T]` term of every rank.
        width: `[T]` int64, neurons of every rank.
        edge_child: `[E]` rank of every edge's child.
        edge_area: `[E]` weights of every edge.
    """

    @classmethod
    def of(cls, layout: SubsystemLayout) -> "NativeHierarchy":
        """That of a layout, made once."""
        return layout.once(cls, lambda: cls(layout))

    def __init__(self, layout: SubsystemLayout) -> None:
        graph, ranks = layout.graph, Ranks.of(layout)
        terms, width = ranks.terms, layout.widths[ranks.terms]
        self.terms, self.width, self.edges = terms, width, len(ranks.edge_child)
        # Row m of the mutant state begins at `first_gene_weight[m]`; a term's rows lie together.
        first_pair = np.searchsorted(graph.annotations[:, 0], np.arange(graph.num_terms))
        has_genes = graph.genes_direct > 0
        first_gene = np.zeros(graph.num_terms, dtype=np.int64)
        first_gene[has_genes] = layout.first_gene_weight[first_pair[has_genes]]

        first_second = np.zeros(graph.num_terms, dtype=np.int64)
        for own in layout.groups:
            first_second[own.terms] = own.second_weights.start + (
                np.arange(len(own.terms)) * own.width**2
            )

        order = np.lexsort((ranks.edge_parent, ranks.edge_child))
        child, parent = ranks.edge_child[order], ranks.edge_parent[order]
        self.edge_child, self.edge_area = child, width[child] * width[parent]
        group = ranks.group_of_rank[parent]
        group_first = np.array([g.child_weights.start for g in layout.groups], dtype=np.int64)
        edge_weight = group_first[group] + ranks.edge_input[order] * width[parent]
        down = np.lexsort((edge_weight, parent))
        every = np.arange(graph.num_terms + 1)
        term, gene = graph.annotations.T
        pairs = np.lexsort((ranks.rank[term], gene))
        self.arrays = {
            "width": width,
            "term": terms,
            "stratum": graph.strata[terms],
            "row": layout.first_row[terms],
            "rank_of_place": ranks.rank[layout.order],
            "first_gene": first_gene[terms],
            "direct_genes": graph.genes_direct[terms],
            "first_second": first_second[terms],
            "edge_child": child,
            "edge_parent": parent,
            "edge_weight": edge_weight,
            "edges_up": np.searchsorted(child, every),
            "edges_down": np.searchsorted(parent[down], every),
            "down": down,
            "touched_starts": ranks.touched_starts,
            "touched_ranks": ranks.touched_ranks,
            "direct_starts": np.searchsorted(gene[pairs], np.arange(graph.num_genes + 1)),
            "direct_ranks": ranks.rank[term[pairs]],
            "direct_weight": layout.first_gene_weight[pairs],
        }
        self.arrays = {name: _array(name, values) for name, values in self.arrays.items()}
        self.struct = _Struct(
            graph.num_terms,
            self.edges,
            graph.num_genes,
            graph.num_strata,
            *(self.arrays[name].ctypes.data for name in _FIELDS),
        )
        self.address = ctypes.byref(self.struct)


def _array(name: str, values: npt.NDArray[np.int64]) -> npt.NDArray[np.integer]:
    return np.ascontiguousarray(values, dtype=np.int32 if name in _INT32 else np.int64)
