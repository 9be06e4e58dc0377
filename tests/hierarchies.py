"""Random and hand-made cell graphs for tests."""

import numpy as np

from data_specs.cell_graph import CellGraph
from pipeline.strata import stratify


def cell_graph(
    edges: list[tuple[int, int]],
    annotations: list[tuple[int, int]],
    terms: int,
    genes: int,
    origin: str = "root",
) -> CellGraph:
    """A cell graph from (child, parent) and (term, gene) numbers; term 0 is the root."""
    names = [f"T{number:03d}" for number in range(terms)]
    table = stratify(names, [(names[c], names[p]) for c, p in edges], origin)
    old = [names.index(name) for name in table["term"]]
    new = {number: place for place, number in enumerate(old)}
    contained = [{g for t, g in annotations if t == number} for number in range(terms)]
    for number in reversed(old):  # children before parents
        for child, parent in edges:
            if child == number:
                contained[parent] |= contained[child]
    return CellGraph(
        term_ids=table["term"].to_list(),
        term_names=table["term"].to_list(),
        gene_ids=[f"G{number:03d}" for number in range(genes)],
        strata=table["stratum"].to_numpy(),
        heights=table["height"].to_numpy(),
        genes_contained=np.array([len(contained[number]) for number in old]),
        annotations=np.array(sorted({(new[t], g) for t, g in annotations}), dtype=np.int64).reshape(
            -1, 2
        ),
        edges=np.array(sorted({(new[c], new[p]) for c, p in edges}), dtype=np.int64).reshape(-1, 2),
    )


def random_cell_graph(
    seed: int, terms: int = 12, genes: int = 15, origin: str = "root"
) -> CellGraph:
    """A DAG in which every term but the root has one to three parents among the earlier ones.

    Every leaf has a gene; the last gene has no annotation.
    """
    random = np.random.default_rng(seed)
    edges = []
    for child in range(1, terms):
        parents = random.choice(child, size=min(child, random.integers(1, 4)), replace=False)
        edges += [(child, int(parent)) for parent in parents]
    chosen = random.random((terms, genes)) < 0.2
    leaves = sorted(set(range(terms)) - {parent for _, parent in edges})
    chosen[leaves, random.integers(0, genes - 1, size=len(leaves))] = True
    chosen[:, -1] = False
    annotations = [(int(t), int(g)) for t, g in np.argwhere(chosen)]
    return cell_graph(edges, annotations, terms, genes, origin)
