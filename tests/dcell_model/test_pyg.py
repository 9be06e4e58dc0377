"""The cell graph and the samples in PyTorch Geometric's types."""

from pathlib import Path

import torch
from torch_geometric.loader import DataLoader

from data_specs.cell_graph import CellGraph
from dcell_model.pyg import PyGMutantStates, to_hetero_data


def test_hetero_data(tiny_build: Path) -> None:
    graph = CellGraph.read(tiny_build / "cell_graph")
    data = to_hetero_data(graph)
    assert data.validate()
    terms = data["gene_ontology"]
    assert terms.term_ids[0] == "GO:ROOT"
    assert data["gene"].node_ids == sorted(data["gene"].node_ids)
    assert terms.mutant_state.shape == (len(graph.annotations), 4)
    assert bool((terms.mutant_state[:, 3] == 1).all())
    assert torch.equal(terms.mutant_state[:, 2], terms.strata[terms.mutant_state[:, 0]])
    assert int(terms.term_gene_counts.sum()) == len(graph.annotations)
    assert terms.max_genes_per_term == int(terms.term_gene_counts.max())
    members = torch.cat(list(terms.stratum_to_terms.values()))
    assert members.sort().values.tolist() == list(range(graph.num_terms))
    child, parent = data["gene_ontology", "is_child_of", "gene_ontology"].edge_index
    assert bool((terms.strata[child] > terms.strata[parent]).all())
    gene, term = data["gene", "has_annotation", "gene_ontology"].edge_index
    assert torch.equal(torch.stack([term, gene], dim=1), terms.term_gene_mapping)


def test_pyg_loader(tiny_build: Path) -> None:
    samples = PyGMutantStates(tiny_build / "store", phenotypes=["fitness"])
    loader = DataLoader(samples, batch_size=8, follow_batch=["delta"])
    seen = 0
    for batch in loader:
        for position in range(batch.num_graphs):
            expected = samples.samples[seen + position]
            rows = batch.delta[batch.delta_batch == position]
            assert rows.tolist() == expected.delta.tolist()
            assert batch.y[position, 0] == torch.tensor(expected.phenotypes["fitness"])
        seen += batch.num_graphs
    assert seen == len(samples)
