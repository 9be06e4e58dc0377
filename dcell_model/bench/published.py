"""How published implementations run the same network, for a comparison in one run.

Shapes: B samples, G genes, T terms. Inputs are `[B, G]`, 1 where a gene is deleted.
"""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from dcell_model.dcell import SubsystemLayout


class DrugCellScheme(nn.Module):
    """The scheme of DrugCell (Kuenzi et al. 2020): a loop over terms, full-width gene layers.

    Written from its description: a term has one linear layer from all G genes to as many numbers
    as it has direct genes, with a fixed mask that leaves one gene to each; then a linear layer on
    the children's outputs and these numbers, tanh, batch norm, and an auxiliary head of two
    linear layers.
    """

    masks: dict[str, Tensor]

    def __init__(self, layout: SubsystemLayout) -> None:
        super().__init__()
        graph = layout.graph
        self.children_of = layout.children
        self.genes, self.linear = nn.ModuleDict(), nn.ModuleDict()
        self.norm, self.head = nn.ModuleList(), nn.ModuleList()
        for term in range(graph.num_terms):
            direct_genes = torch.from_numpy(graph.annotations[layout.gene_rows(term), 1].copy())
            inputs, width = int(layout.fan_in[term]) + len(direct_genes), int(layout.widths[term])
            if len(direct_genes):
                layer = nn.Linear(graph.num_genes, len(direct_genes))
                mask = torch.zeros(len(direct_genes), graph.num_genes)
                mask[torch.arange(len(direct_genes)), direct_genes] = 1
                layer.register_buffer("mask", mask)
                with torch.no_grad():
                    layer.weight.mul_(mask)
                self.genes[str(term)] = layer
            self.linear[str(term)] = nn.Linear(inputs, width)
            self.norm.append(nn.BatchNorm1d(width))
            self.head.append(nn.Sequential(nn.Linear(width, 1), nn.Tanh(), nn.Linear(1, 1)))

    def forward(self, deleted: Tensor) -> list[Tensor]:
        """T predictions `[B, 1]`; the first is the root's."""
        outputs: dict[int, Tensor] = {}
        heads: dict[int, Tensor] = {}
        for term in reversed(range(len(self.children_of))):
            parts = [outputs[child] for child in self.children_of[term]]
            if str(term) in self.genes:
                parts.append(self.genes[str(term)](deleted))
            z = self.linear[str(term)](torch.cat(parts, dim=1))
            outputs[term] = self.norm[term](torch.tanh(z))
            heads[term] = self.head[term](outputs[term])
        return [heads[term] for term in range(len(heads))]

    def mask_gradients(self) -> None:
        """Keep masked weights at zero, as the published training loop does after each backward."""
        for layer in self.genes.values():
            layer.weight.grad.mul_(layer.mask)  # type: ignore[operator, union-attr, arg-type]


class CellmapsVNN(nn.Module):
    """The network of the package `cellmaps_vnn` on a hierarchy of this project.

    Raises:
        ImportError: the package is not installed.
    """

    def __init__(self, layout: SubsystemLayout) -> None:
        super().__init__()
        import networkx as nx
        from cellmaps_vnn.vnn import VNN

        graph = layout.graph
        names = [f"t{term}" for term in range(graph.num_terms)]
        digraph = nx.DiGraph()
        digraph.add_nodes_from(names)
        digraph.add_edges_from((names[parent], names[child]) for child, parent in graph.edges)
        direct: dict[str, set[int]] = {}
        for term, gene in graph.annotations.tolist():
            direct.setdefault(names[term], set()).add(gene)
        self.vnn = VNN(
            SimpleNamespace(
                root=names[0],
                digraph=digraph,
                num_hiddens_genotype=20,
                gene_id_mapping={f"g{gene}": gene for gene in range(graph.num_genes)},
                term_direct_gene_map=direct,
                term_size_map=dict.fromkeys(names, 1),
                min_dropout_layer=len(names),
                dropout_fraction=0.0,
                cell_features=torch.zeros(1, graph.num_genes, 1).numpy(),
            )
        )
        self.masks = {}
        for name, genes in direct.items():
            mask = torch.zeros(len(genes), graph.num_genes)
            mask[torch.arange(len(genes)), torch.tensor(sorted(genes))] = 1
            self.masks[name] = mask
        self.root = names[0]

    def forward(self, deleted: Tensor) -> list[Tensor]:
        """Predictions `[B, 1]`: the final one, then an auxiliary one of each term."""
        predictions: dict[str, Any] = dict(self.vnn(deleted[:, :, None])[0])
        return [predictions.pop("final"), *predictions.values()]

    def mask_gradients(self) -> None:
        """As in the package's training loop."""
        for name, parameter in self.vnn.named_parameters():
            if "_direct_gene_layer.weight" in name and parameter.grad is not None:
                parameter.grad.mul_(self.masks[name.split("_")[0]])


PUBLISHED: dict[str, type[DrugCellScheme] | type[CellmapsVNN]] = {
    "drugcell": DrugCellScheme,
    "cellmaps_vnn": CellmapsVNN,
}
