"""The cell graph and the samples in PyTorch Geometric's own types."""

from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from data_specs.cell_graph import CellGraph
from dcell_model.dataset import MutantStateDataset


def to_hetero_data(graph: CellGraph) -> Any:
    """The cell graph as a `torch_geometric.data.HeteroData`.

    Fields: `gene` (num_nodes, node_ids); `gene_ontology` (num_nodes, node_ids, term_ids, strata
    `[T]`, stratum_to_terms, term_gene_mapping `[M, 2]`, term_gene_counts `[T]`,
    contained_gene_counts `[T]`, max_genes_per_term, mutant_state `[M, 4]` of the wild type);
    `(gene, has_annotation, gene_ontology)` and `(gene_ontology, is_child_of, gene_ontology)`
    (edge_index). All numbers int64.
    """
    from torch_geometric.data import HeteroData

    annotations = torch.from_numpy(graph.annotations.copy())
    strata = torch.from_numpy(graph.strata.copy())
    counts = torch.from_numpy(graph.genes_direct.copy())
    data = HeteroData()
    data["gene"].num_nodes = graph.num_genes
    data["gene"].node_ids = list(graph.gene_ids)
    terms = data["gene_ontology"]
    terms.num_nodes = graph.num_terms
    terms.node_ids = terms.term_ids = list(graph.term_ids)
    terms.strata = strata
    terms.stratum_to_terms = {
        stratum: torch.nonzero(strata == stratum).flatten() for stratum in range(graph.num_strata)
    }
    terms.term_gene_mapping = annotations
    terms.term_gene_counts = counts
    terms.contained_gene_counts = torch.from_numpy(graph.genes_contained.copy())
    terms.max_genes_per_term = int(counts.max())
    terms.mutant_state = torch.from_numpy(graph.wild_type.copy())
    data["gene", "has_annotation", "gene_ontology"].edge_index = (
        annotations.flip(1).t().contiguous()
    )
    edges = torch.from_numpy(graph.edges.copy())
    data["gene_ontology", "is_child_of", "gene_ontology"].edge_index = edges.t().contiguous()
    return data


class PyGMutantStates(Dataset[Any]):
    """The samples of a store as `torch_geometric.data.Data`, for PyG's own loaders.

    Each has `genes` `[k]`, `delta` `[n, 4]` and `y` `[1, P]`; a `torch_geometric.loader.DataLoader`
    concatenates them (`follow_batch=["genes", "delta"]` tells the sample of each row).
    """

    def __init__(self, store: Path | str, **options: Any) -> None:
        self.samples = MutantStateDataset(store, **options)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        from torch_geometric.data import Data

        sample = self.samples[index]
        y = torch.tensor([[sample.phenotypes[name] for name in self.samples.phenotypes]])
        genes = torch.from_numpy(sample.genes.astype("int64"))
        return Data(genes=genes, delta=torch.from_numpy(sample.delta), y=y, num_nodes=len(genes))
