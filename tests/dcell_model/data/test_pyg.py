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
from data_specs.parameters import resolve
from dcell_model.data.pyg import (
    FOLLOW_BATCH,
    HeteroMutantStates,
    PyGMutantStates,
    batch_of,
    from_hetero_data,
    to_hetero_data,
)
from pipeline.build import build
from tests.conftest import tiny_parameters
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


def test_dcell_in_a_pyg_loop(tiny_build: Path) -> None:
    """A batch of PyG's loader is the batch that the store itself gathers."""
    samples = PyGMutantStates(tiny_build / "store", phenotypes=["fitness"])
    data = next(iter(DataLoader(samples, batch_size=7, follow_batch=["genes", "delta"])))
    found, expected = batch_of(data, ["fitness"]), samples.samples.batch(list(range(7)))
    for field in dataclasses.fields(expected):
        of_field = getattr(found, field.name), getattr(expected, field.name)
        assert (
            of_field[0] == of_field[1]
            if field.name in ("names", "plan", "state", "deleted_state")
            else torch.equal(*of_field)
        )
    assert batch_of(data).names == ("phenotype_0",)
    unfollowed = next(iter(DataLoader(samples, batch_size=7)))
    with pytest.raises(InputError, match="without 'genes_batch'; expected one of a torch_geom"):
        batch_of(unfollowed)


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


TABLE = """genes\tinteraction\tfitness\tfitness_sd\tp_value
YAL001C|YAL002W\t-0.25\t0.5\t0.125\t0.5
YAL001C|YAL003W\t0.75\t\t\t
YAL003W|YAL099W\t1.5\t0.25\t\t0.0625
YAL098C|YAL099W\t1.25\t0.75\t0.5\t
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a build with two phenotypes, their uncertainty, and unannotated genes."""
    folder = tmp_path_factory.mktemp("torchcell")
    (folder / "table.tsv").write_text(TABLE)
    given = tiny_parameters(sources={"genotypes": [str(folder / "table.tsv")]})
    return build(resolve(given), folder / "build").root / "store"


def sample_of(samples: HeteroMutantStates, *genes: str) -> Any:
    (found,) = [data for data in samples if data["gene"].perturbed_genes == list(genes)]
    return found


def test_phenotypes_as_torchcell_has_them(measured: Path) -> None:
    """Values in coordinate form, and uncertainty beside them: what is not measured is not there."""
    samples = HeteroMutantStates(measured)
    both = sample_of(samples, "YAL001C", "YAL002W")["gene"]
    assert both.phenotype_types == ["gene_interaction", "fitness"]
    assert both.phenotype_values.tolist() == [-0.25, 0.5]
    assert both.phenotype_type_indices.tolist() == [0, 1]
    assert both.phenotype_sample_indices.tolist() == [0, 0]
    assert both.phenotype_stat_types == ["gene_interaction_p_value", "fitness_std"]
    assert both.phenotype_stat_values.tolist() == [0.5, 0.125]
    assert both.phenotype_stat_type_indices.tolist() == [0, 1]
    assert both.phenotype_stat_sample_indices.tolist() == [0, 0]
    one = sample_of(samples, "YAL001C", "YAL003W")["gene"]
    assert (one.phenotype_values.tolist(), one.phenotype_type_indices.tolist()) == ([0.75], [0])
    assert one.phenotype_stat_values.shape == one.phenotype_stat_type_indices.shape == (0,)
    assert one.phenotype_stat_types == both.phenotype_stat_types
    fitness = HeteroMutantStates(measured, ["fitness"], names={"fitness": "smf"})
    none = sample_of(fitness, "YAL001C", "YAL003W")["gene"]
    assert none.phenotype_values.isnan().tolist() == [True]
    assert none.phenotype_type_indices.tolist() == none.phenotype_sample_indices.tolist() == [0]
    assert none.phenotype_types == ["smf"]
    assert none.phenotype_stat_types == ["smf_std"]


def test_perturbations_as_torchcell_has_them(measured: Path) -> None:
    samples = HeteroMutantStates(measured)
    half = sample_of(samples, "YAL003W", "YAL099W")["gene"]
    assert [half.node_ids[index] for index in half.perturbation_indices] == ["YAL003W"]
    assert half.pert_mask.nonzero().flatten().tolist() == half.perturbation_indices.tolist()
    assert torch.equal(half.mask, ~half.pert_mask)
    data = sample_of(samples, "YAL098C", "YAL099W")
    assert data["gene"].perturbation_indices.shape == (0,)
    assert data["gene_ontology"].node_ids == list(samples.samples.graph.term_ids)
    assert bool((data["gene_ontology"].go_gene_strata_state[:, 3] == 1).all())


def test_batches_as_torchcell_has_them(measured: Path) -> None:
    """Also of samples without a gene of the hierarchy, or without uncertainty."""
    samples = HeteroMutantStates(measured)
    batch = next(iter(DataLoader(samples, batch_size=4, follow_batch=list(FOLLOW_BATCH))))
    gene = batch["gene"]
    assert gene.perturbation_indices_batch.tolist() == [
        position for position in range(4) for _ in samples[position]["gene"].perturbation_indices
    ]
    assert gene.perturbation_indices_ptr.tolist() == [0, 2, 4, 5, 5]
    assert gene.phenotype_values_batch.tolist() == [0, 0, 1, 2, 2, 3, 3]
    assert gene.phenotype_type_indices.tolist() == [0, 1, 0, 0, 1, 0, 1]
    assert gene.phenotype_types == [["gene_interaction", "fitness"]] * 4
    rows = len(samples.samples.graph.annotations)
    ptr = batch["gene_ontology"].go_gene_strata_state_ptr
    assert ptr.tolist() == [rows * position for position in range(5)]


def test_the_spread_tells_of_a_first_phenotype_without_more(tiny_build: Path) -> None:
    """Phenotypes are those of the tables; spread and count only say how certain they are."""
    samples = HeteroMutantStates(tiny_build / "store")
    assert samples.types == ["fitness"]
    assert samples.statistic_types == ["fitness_spread"]
