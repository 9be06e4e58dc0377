"""Which genes a screen combines, and around which: from names to the cell graph's indices."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_specs.errors import InputError
from data_specs.genotype_text import split_names
from dcell_model.predict import IntArray, Trained, read_gene_names


def query_of(trained: Trained, text: str, order: int) -> tuple[int, ...]:
    """The genes that `--with` names, sorted.

    Raises:
        InputError: an unknown name, or not 1 to `order` genes.
    """
    names = split_names(text, trained.names.whole)
    genes: set[int] = set()
    for name in names:
        gene = trained.names.gene(name)
        if gene not in trained.names.index:
            raise InputError(f"--with {text}: {trained.names.explain(name)}")
        genes.add(trained.names.index[gene])
    if not 1 <= len(genes) <= order:
        raise InputError(f"--with {text}: {len(genes)} genes; expected 1 to {order}, the order")
    return tuple(sorted(genes))


def genes_of(trained: Trained, path: Path | None) -> tuple[IntArray, list[str]]:
    """Indices of the genes to combine, and the names that the model does not know."""
    if path is None:
        return np.arange(trained.graph.num_genes), []
    names = read_gene_names(path, trained.names)
    found = {name: trained.names.number(name) for name in names}
    known = {index for index in found.values() if index is not None}
    genes: npt.NDArray[np.int64] = np.array(sorted(known), dtype=np.int64)
    return genes, [name for name, index in found.items() if index is None]
