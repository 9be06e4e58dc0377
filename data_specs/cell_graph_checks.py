"""Rules for the arrays of every cell graph, checked even where checksums match."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
MOST_GENES = 2**31 - 1
"""Genes that a term may contain; with more, its width overflows."""


class Graph(Protocol):
    """The arrays that are checked; `data_specs.cell_graph.CellGraph` describes them."""

    @property
    def term_ids(self) -> Sequence[str]:
        """Of T terms."""
        ...

    @property
    def gene_ids(self) -> Sequence[str]:
        """Of G genes."""
        ...

    @property
    def edges(self) -> IntArray:
        """`[E, 2]` child, parent."""
        ...

    @property
    def annotations(self) -> IntArray:
        """`[A, 2]` term, gene."""
        ...

    @property
    def strata(self) -> IntArray:
        """`[T]`."""
        ...

    @property
    def heights(self) -> IntArray:
        """`[T]`."""
        ...

    @property
    def genes_contained(self) -> IntArray:
        """`[T]`."""
        ...

    @property
    def channels(self) -> Sequence[str]:
        """Of every gene, or none."""
        ...


def fault_of(graph: Graph) -> str | None:
    """The first broken rule, in words; None if there is none. O(terms + edges + annotations)."""
    return next((fault for check in _CHECKS if (fault := check(graph))), None)


def _names(graph: Graph) -> str | None:
    if not len(graph.term_ids):
        return "there is no term"
    for what, names in (("terms", graph.term_ids), ("genes", graph.gene_ids)):
        if len(set(names)) < len(names):
            return f"two {what} have one name"
    return None


def _rows(graph: Graph) -> str | None:
    terms, genes = len(graph.term_ids), len(graph.gene_ids)
    for what, pairs, sizes in (
        ("annotations", graph.annotations, (terms, genes)),
        ("edges", graph.edges, (terms, terms)),
    ):
        if bool((pairs < 0).any() or (pairs >= sizes).any()):
            return f"{what} name a row that is not there"
        if not _increasing(pairs):
            return f"{what} are not sorted, each once"
    return None


def _increasing(pairs: IntArray) -> bool:
    step, inner = np.diff(pairs[:, 0]), np.diff(pairs[:, 1])
    return bool(((step > 0) | ((step == 0) & (inner > 0))).all())


def _depths(graph: Graph) -> str | None:
    """Heights are longest paths to a leaf; strata those from the root, or the heights reversed."""
    child, parent = graph.edges.T
    from_root, to_leaf = np.zeros((2, len(graph.term_ids)), dtype=np.int64)
    np.maximum.at(from_root, child, graph.strata[parent] + 1)
    np.maximum.at(to_leaf, parent, graph.heights[child] + 1)
    if not np.array_equal(to_leaf, graph.heights):
        return "a height is not the longest path to a leaf"
    if bool((np.diff(graph.strata) < 0).any()):
        return "terms are not sorted by their strata"
    origins = (from_root, graph.heights.max() - graph.heights)
    if not any(np.array_equal(strata, graph.strata) for strata in origins):
        return "strata are the longest paths neither from the root nor from the leaves"
    if len(graph.term_ids) - len(np.unique(child)) != 1:
        return "there is more than one root"
    return None


def _counts(graph: Graph) -> str | None:
    contained = graph.genes_contained
    direct = np.bincount(graph.annotations[:, 0], minlength=len(graph.term_ids))
    inputs = max(1, len(graph.channels))
    if bool((direct % inputs).any()):
        return "a term has a gene without all of its channels"
    direct //= inputs
    # Contained genes are those of the whole annotated ontology; pruning may have lost some.
    if bool((contained < direct).any()):
        return "a term contains fewer genes than it has"
    if bool((contained > MOST_GENES).any()):
        return "a term contains more genes than there are"
    return None


_CHECKS: tuple[Callable[[Graph], str | None], ...] = (
    _names, _rows, _depths, _counts,
)  # fmt: skip
