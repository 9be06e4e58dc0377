"""The cell graph and the samples in PyTorch Geometric's own types, named as torchcell names them.

torchcell (github.com/Mjvolk3/torchcell) keeps a cell graph as `HeteroData` and gives every sample a
dense table of gene states; its DCell reads both. What is called otherwise here is added to it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from data_specs.cell_graph import CellGraph, IntArray
from data_specs.errors import InputError
from data_specs.measurement_error import P_VALUE, is_measured, sd_column
from dcell_model.data.dataset import MutantStateBatch, MutantStateDataset
from dcell_model.data.sample_weights import COUNT

ANNOTATED = ("gene", "has_annotation", "gene_ontology")
CHILD_OF = ("gene_ontology", "is_child_of", "gene_ontology")
# What torchcell's trainers have PyG's loader follow.
FOLLOW_BATCH = ("perturbation_indices", "phenotype_values", "go_gene_strata_state")
LABELS = {"interaction": "gene_interaction"}  # torchcell's names of phenotypes


def to_hetero_data(graph: CellGraph) -> Any:
    """The cell graph as a `torch_geometric.data.HeteroData`.

    Fields of torchcell: `gene` (num_nodes, node_ids, x `[G, 0]`); `gene_ontology` (num_nodes,
    node_ids, term_ids, x `[T, 1]` float32 counts of direct genes, strata `[T]`, stratum_to_terms,
    term_gene_mapping `[M, 2]`, term_gene_counts `[T]`, term_to_gene_dict, max_genes_per_term,
    go_gene_strata_state `[M, 4]` float32 of the wild type); edge types `(gene, has_annotation,
    gene_ontology)` and `(gene_ontology, is_child_of, gene_ontology)` (edge_index, num_edges).
    Added: term_names, contained_gene_counts `[T]`, and mutant_state `[M, 4]`, the same table in
    int64. Other numbers are int64.
    """
    from torch_geometric.data import HeteroData

    annotations = torch.from_numpy(graph.annotations.copy())
    strata = torch.from_numpy(graph.strata.copy())
    counts = torch.from_numpy(graph.genes_direct.copy())
    data = HeteroData()
    data["gene"].num_nodes = graph.num_genes
    data["gene"].node_ids = list(graph.gene_ids)
    data["gene"].x = torch.zeros(graph.num_genes, 0)
    terms = data["gene_ontology"]
    terms.num_nodes = graph.num_terms
    terms.node_ids = terms.term_ids = list(graph.term_ids)
    terms.term_names = list(graph.term_names)
    terms.x = counts.float()[:, None]
    terms.strata = strata
    terms.stratum_to_terms = {
        stratum: torch.nonzero(strata == stratum).flatten() for stratum in range(graph.num_strata)
    }
    terms.term_gene_mapping = annotations
    terms.term_gene_counts = counts
    terms.term_to_gene_dict = {
        term: genes.tolist() for term, genes in enumerate(annotations[:, 1].split(counts.tolist()))
    }
    terms.contained_gene_counts = torch.from_numpy(graph.genes_contained.copy())
    terms.max_genes_per_term = int(counts.max())
    terms.mutant_state = torch.from_numpy(graph.wild_type.copy())
    terms.go_gene_strata_state = terms.mutant_state.float()
    edges = torch.from_numpy(graph.edges.copy())
    for kind, index in ((ANNOTATED, annotations.flip(1)), (CHILD_OF, edges)):
        data[kind].edge_index = index.t().contiguous()
        data[kind].num_edges = len(index)
    return data


def from_hetero_data(data: Any) -> CellGraph:
    """The cell graph of a `HeteroData`, of `to_hetero_data` or of torchcell.

    Terms and genes are numbered anew: by (stratum, id) and by name. Names fall back to ids, and
    contained genes are counted where the data do not say.

    Raises:
        InputError: a field is missing, a number is out of range, there is not one root in stratum
            0, or a child is not deeper than its parent.
    """
    try:
        terms, genes = data["gene_ontology"], list(data["gene"].node_ids)
        ids = list(terms.term_ids)
        strata = np.asarray(terms.strata, dtype=np.int64)
        pairs = _pairs(terms.term_gene_mapping) if "term_gene_mapping" in terms else _pairs([])
        has_edges = CHILD_OF in data.edge_types  # torchcell omits empty stores
        links = _pairs(data[CHILD_OF].edge_index.t() if has_edges else [])
    except (AttributeError, KeyError) as error:
        raise InputError(
            f"HeteroData: no field {error}; see dcell_model.data.pyg.to_hetero_data"
        ) from None
    if strata.shape != (len(ids),) or np.count_nonzero(strata == 0) != 1:
        raise InputError(
            f"HeteroData: strata of shape {strata.shape} with {np.count_nonzero(strata == 0)} "
            f"zeros for {len(ids)} terms; expected one stratum a term, and 0 for the root alone"
        )
    for what, found, limits in (
        ("term_gene_mapping", pairs, (len(ids), len(genes))),
        ("is_child_of", links, (len(ids), len(ids))),
    ):
        if len(found) and ((found < 0).any() or (found.max(axis=0) >= limits).any()):
            raise InputError(f"HeteroData: {what} refers to a node that does not exist")
    for child, parent in links[strata[links[:, 0]] <= strata[links[:, 1]]].tolist():
        raise InputError(
            f"HeteroData: {ids[child]} is in stratum {strata[child]} and its parent {ids[parent]} "
            f"in {strata[parent]}; expected every child deeper than its parents"
        )
    order = sorted(range(len(ids)), key=lambda term: (strata[term], ids[term]))
    gene_order = sorted(range(len(genes)), key=genes.__getitem__)
    term_at, gene_at = np.argsort(order), np.argsort(gene_order)
    strata = strata[order]
    links = _sorted(np.stack([term_at[links[:, 0]], term_at[links[:, 1]]], axis=1))
    pairs = _sorted(np.stack([term_at[pairs[:, 0]], gene_at[pairs[:, 1]]], axis=1))
    heights, contained = _from_below(strata, links, pairs)
    if "contained_gene_counts" in terms:
        contained = np.asarray(terms.contained_gene_counts, dtype=np.int64)[order]
    names = list(terms.term_names) if "term_names" in terms else ids
    return CellGraph(
        term_ids=[ids[term] for term in order],
        term_names=[names[term] for term in order],
        gene_ids=[genes[gene] for gene in gene_order],
        strata=strata,
        heights=heights,
        genes_contained=contained,
        annotations=pairs,
        edges=links,
    )


def _pairs(rows: Any) -> IntArray:
    return np.asarray(rows, dtype=np.int64).reshape(-1, 2)


def _sorted(pairs: IntArray) -> IntArray:
    return np.unique(pairs, axis=0).reshape(-1, 2)


def _from_below(strata: IntArray, links: IntArray, pairs: IntArray) -> tuple[IntArray, IntArray]:
    """Height of every term and number of genes that it contains, both `[T]`."""
    heights = np.zeros(len(strata), dtype=np.int64)
    genes: list[set[int]] = [set() for _ in strata]
    for term, gene in pairs.tolist():
        genes[term].add(gene)
    for child, parent in links[np.argsort(-strata[links[:, 0]], kind="stable")].tolist():
        heights[parent] = max(heights[parent], heights[child] + 1)
        genes[parent] |= genes[child]
    return heights, np.array([len(genes_of_term) for genes_of_term in genes], dtype=np.int64)


class PyGMutantStates(Dataset[Any]):
    """The samples of a store as `torch_geometric.data.Data`, for PyG's own loaders.

    Each has `genes` `[k]`, `delta` `[n, 4]`, `y` `[1, P]` and `number` `[1]`, that of the sample; a
    `torch_geometric.loader.DataLoader` concatenates them (`follow_batch=["genes", "delta"]` tells
    the sample of each row). `batch_of` makes what DCell takes of a batch of them. Of a store with
    graded states each has `states` `[k]`, too.
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
        delta, number = torch.from_numpy(sample.delta), torch.tensor([sample.index])
        states = torch.from_numpy(sample.states.copy())
        graded = {"states": states} if self.samples.meta.graded else {}
        return Data(genes=genes, delta=delta, y=y, number=number, num_nodes=len(genes), **graded)


def batch_of(data: Any, names: Sequence[str] = ()) -> MutantStateBatch:
    """The batch that DCell and `dcell_loss` take, of one that PyG's loader made.

    Args:
        data: a batch of `PyGMutantStates`, with `follow_batch=["genes", "delta"]`.
        names: of the P phenotypes; without, they are numbered.

    Raises:
        InputError: the loader did not follow `genes` and `delta`.
    """
    for field in ("genes_batch", "delta_batch"):
        if field not in data:
            raise InputError(
                f"a batch without '{field}'; expected one of a torch_geometric.loader.DataLoader "
                'with follow_batch=["genes", "delta"]'
            )
    return MutantStateBatch(
        index=data.number,
        sample=data.delta_batch,
        term=data.delta[:, 0].long(),
        gene=data.delta[:, 1].long(),
        deleted_sample=data.genes_batch,
        deleted_gene=data.genes,
        phenotypes=data.y,
        names=tuple(names) or tuple(f"phenotype_{n}" for n in range(data.y.shape[1])),
        state=data.delta[:, 3].float() if "states" in data else None,
        deleted_state=data.states if "states" in data else None,
    )


class HeteroMutantStates(Dataset[Any]):
    """The samples of a store as torchcell's DCell processor makes them: one `HeteroData` each.

    `gene`: num_nodes, node_ids, x `[G, 0]`, perturbed_genes (names of all k deleted genes),
    perturbation_indices `[h]` and pert_mask `[G]` of those that the hierarchy has.
    phenotype_values `[v]` float32 holds what was measured and no more: of each value
    phenotype_type_indices says which of phenotype_types it is of, and phenotype_sample_indices, 0,
    of which experiment. phenotype_stat_values, …_type_indices, …_sample_indices and …_types are the
    same of the uncertainty: a phenotype's standard deviation, of an interaction the p-value where
    the tables give one, of the store's first phenotype the spread of merged rows if it has neither.
    A sample without any measurement has one value, NaN, of type 0.
    `gene_ontology`: num_nodes, node_ids and go_gene_strata_state `[M, 4]` float32.
    Added: mask, which is `~pert_mask`, as torchcell's other processors have it.

    Load them with a `torch_geometric.loader.DataLoader(…, follow_batch=FOLLOW_BATCH)`. It makes
    perturbation_indices_batch, which torchcell stores in each sample, too, unless it has no index:
    then PyG cannot put it beside others. The table is dense: M rows a sample, which
    `MutantStateDataset` avoids.

    Args:
        store: folder of the store.
        phenotypes: in the order of phenotype_types; by default all that were measured.
        names: what they are called in phenotype_types; others keep their name.
        options: of `MutantStateDataset`.
    """

    def __init__(
        self,
        store: Path | str,
        phenotypes: Sequence[str] | None = None,
        names: Mapping[str, str] = LABELS,
        **options: Any,
    ) -> None:
        self.samples = MutantStateDataset(store, **options, phenotypes=phenotypes)
        stored = self.samples.meta.phenotypes
        if phenotypes is None:
            self.samples.phenotypes = tuple(_measured(stored))
        self.types = [names.get(name, name) for name in self.samples.phenotypes]
        found = [_statistic(name, stored) for name in self.samples.phenotypes]
        named = [
            (column, f"{label}_{what}")
            for label, (column, what) in zip(self.types, found, strict=True)
            if column
        ]
        self.statistics = [column for column, _ in named]
        self.statistic_types = [name for _, name in named]
        graph = self.samples.graph
        self.gene_ids, self.term_ids = list(graph.gene_ids), list(graph.term_ids)
        self.all_genes = self.samples.gene_ids
        self.wild_type = graph.wild_type.astype(np.float32)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        from torch_geometric.data import HeteroData

        sample, graph = self.samples[index], self.samples.graph
        deleted = torch.from_numpy(sample.genes.astype("int64"))
        data = HeteroData()
        gene, terms = data["gene"], data["gene_ontology"]
        gene.num_nodes, gene.node_ids = graph.num_genes, self.gene_ids
        gene.x = torch.zeros(graph.num_genes, 0)
        gene.perturbed_genes = [self.all_genes[number] for number in deleted.tolist()]
        gene.perturbation_indices = deleted[deleted < graph.num_genes]
        gene.pert_mask = torch.zeros(graph.num_genes, dtype=torch.bool)
        gene.pert_mask[gene.perturbation_indices] = True
        gene.mask = ~gene.pert_mask
        for prefix, columns, types in (
            ("phenotype", self.samples.phenotypes, self.types),
            ("phenotype_stat", self.statistics, self.statistic_types),
        ):
            values = torch.tensor([sample.phenotypes[name] for name in columns])
            known = torch.nonzero(~values.isnan()).flatten()
            if prefix == "phenotype" and not len(known):
                known = torch.tensor([0])
            gene[f"{prefix}_values"] = values[known]
            gene[f"{prefix}_type_indices"] = known
            gene[f"{prefix}_sample_indices"] = torch.zeros_like(known)
            gene[f"{prefix}_types"] = types
        terms.num_nodes, terms.node_ids = graph.num_terms, self.term_ids
        states = torch.from_numpy(self.wild_type.copy())
        delta = sample.delta
        changed = torch.from_numpy(delta[:, 3]).float()
        states[graph.rows_of(*delta[:, :2].T.astype(np.int64)), 3] = changed
        terms.go_gene_strata_state = states
        return data


def _measured(stored: Sequence[str]) -> list[str]:
    """The columns of a store that are phenotypes, and not how certain others are."""
    spreads = {f"{name}_spread" for name in stored}
    return [name for name in stored if is_measured(name, stored) and name not in spreads | {COUNT}]


def _statistic(phenotype: str, stored: Sequence[str]) -> tuple[str | None, str]:
    """The column of the uncertainty of a phenotype, if there is one, and what it is."""
    if phenotype == "interaction" and P_VALUE in stored:
        return P_VALUE, "p_value"
    column = sd_column(phenotype, stored)
    if column is None and f"{phenotype}_spread" in stored:
        return f"{phenotype}_spread", "spread"
    return column, "std"
