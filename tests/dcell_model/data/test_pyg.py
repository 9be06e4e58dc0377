"""The cell graph and the samples in PyTorch Geometric's types."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import HeteroData
from torch_geometric.loader import DataLoader

from data_specs.cell_graph import CellGraph
from data_specs.errors import InputError
from dcell_model.data.pyg import (
    HeteroMutantStates,
    PyGMutantStates,
    from_hetero_data,
    to_hetero_data,
)
from tests.hierarchies import random_cell_graph


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


def same(found: CellGraph, expected: CellGraph) -> bool:
    return (
        found.fingerprint == expected.fingerprint
        and list(found.term_names) == list(expected.term_names)
        and found.heights.tolist() == expected.heights.tolist()
    )


@given(st.integers(0, 10_000), st.integers(2, 16))
def test_hetero_data_and_back(seed: int, terms: int) -> None:
    """Genes without annotation included."""
    graph = random_cell_graph(seed, terms=terms)
    assert same(from_hetero_data(to_hetero_data(graph)), graph)


def torchcell_data(graph: CellGraph) -> Any:
    """The same graph as torchcell builds it: terms by id, no names, counts or heights."""
    ids = sorted(graph.term_ids)
    at = [ids.index(term) for term in graph.term_ids]
    data = HeteroData()
    data["gene"].node_ids = list(graph.gene_ids)
    data["gene"].num_nodes = graph.num_genes
    terms = data["gene_ontology"]
    terms.num_nodes, terms.node_ids, terms.term_ids = len(ids), ids, ids
    terms.strata = torch.tensor([int(graph.strata[graph.term_ids.index(term)]) for term in ids])
    pairs = [(at[term], gene) for term, gene in graph.annotations.tolist()]
    terms.term_gene_mapping = torch.tensor(pairs[::-1])
    edges = torch.tensor([(at[child], at[parent]) for child, parent in graph.edges.tolist()])
    data["gene_ontology", "is_child_of", "gene_ontology"].edge_index = edges.t()
    return data


@given(st.integers(0, 10_000))
def test_torchcell_s_own_is_read(seed: int) -> None:
    graph = random_cell_graph(seed)
    names = [f"T{number:03d}" for number in np.random.default_rng(seed).permutation(1000)[:12]]
    order = sorted(range(12), key=lambda term: (graph.strata[term], names[term]))
    graph = dataclasses.replace(graph, term_ids=names, term_names=names)
    again = from_hetero_data(torchcell_data(graph))
    assert list(again.term_ids) == [names[term] for term in order]
    assert again.heights.tolist() == graph.heights[order].tolist()
    assert again.genes_contained.tolist() == graph.genes_contained[order].tolist()
    assert named(again) == named(graph)


def named(graph: CellGraph) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    terms, genes = graph.term_ids, graph.gene_ids
    return (
        {(terms[child], terms[parent]) for child, parent in graph.edges},
        {(terms[term], genes[gene]) for term, gene in graph.annotations},
    )


def test_a_term_alone() -> None:
    data = HeteroData()
    data["gene"].node_ids = ["g"]
    data["gene_ontology"].term_ids = ["r"]
    data["gene_ontology"].strata = torch.tensor([0])
    graph = from_hetero_data(data)
    assert (graph.num_terms, len(graph.edges), len(graph.annotations)) == (1, 0, 0)


def test_what_does_not_fit_is_named() -> None:
    graph = random_cell_graph(0)
    with pytest.raises(InputError, match="no field"):
        from_hetero_data(HeteroData())
    data = to_hetero_data(graph)
    data["gene_ontology"].strata = torch.zeros(graph.num_terms, dtype=torch.long)
    with pytest.raises(InputError, match="12 zeros for 12 terms; expected one stratum a term"):
        from_hetero_data(data)
    data["gene_ontology"].strata = torch.arange(graph.num_terms).clamp(max=1)
    with pytest.raises(InputError, match="expected every child deeper than its parents"):
        from_hetero_data(data)
    data = to_hetero_data(graph)
    data["gene_ontology"].term_gene_mapping = torch.tensor([[0, graph.num_genes]])
    with pytest.raises(InputError, match="term_gene_mapping refers to a node that does not exist"):
        from_hetero_data(data)


def test_what_torchcell_s_model_reads(tiny_build: Path) -> None:
    """Its DCell finds a term's rows in the cell graph, and its states at them in each sample."""
    samples = HeteroMutantStates(tiny_build / "store", phenotypes=["fitness"])
    graph = samples.samples.graph
    terms = to_hetero_data(graph)["gene_ontology"]
    for term, genes in terms.term_to_gene_dict.items():
        rows = terms.go_gene_strata_state[:, 0] == term
        assert terms.go_gene_strata_state[rows, 1].tolist() == genes
        assert len(genes) == terms.term_gene_counts[term] == terms.x[term, 0]
    follow = ["go_gene_strata_state"]
    [batch] = DataLoader(samples, batch_size=len(samples), follow_batch=follow)
    states = batch["gene_ontology"].go_gene_strata_state
    start, stop = batch["gene_ontology"].go_gene_strata_state_ptr[:2].tolist()
    assert (start, stop) == (0, len(graph.annotations))
    states = states.view(len(samples), stop, 4)
    assert int(batch["gene"].batch.max()) + 1 == len(samples)
    for index in range(len(samples)):
        expected = samples.samples[index].mutant_state
        assert torch.equal(states[index], torch.as_tensor(np.array(expected)).float())
        mask = batch["gene"].pert_mask.view(len(samples), -1)[index]
        assert torch.equal(mask[states[index, :, 1].long()], states[index, :, 3] == 0)
