"""A model on the gene networks of a build: their edges, and what the training loop asks for."""

import torch
from torch import Tensor, nn

from data_specs.cell_graph import CellGraph
from data_specs.gene_networks import GeneNetworks


class OnNetworks(nn.Module):
    """The part that models on gene networks share.

    Args:
        graph: the cell graph of the store; only its fingerprint is used, to know the store by.
        networks: on the genes of the store.

    Attributes:
        edges: by network, `[2, 2E]` int64 buffers: every edge in both directions. They are no part
            of a checkpoint, which names the networks by their digest.
        sync_batchnorm: of no account, there are no batch statistics.
    """

    def __init__(self, graph: CellGraph, networks: GeneNetworks) -> None:
        super().__init__()
        self.graph, self.networks = graph, networks
        self.sync_batchnorm = False
        for network, name in enumerate(networks.names):
            edges = torch.from_numpy(networks.edges[name]).T
            both = torch.cat([edges, edges.flip(0)], dim=1).contiguous()
            self.register_buffer(f"edges_{network}", both, persistent=False)

    @property
    def edges(self) -> list[Tensor]:
        """`[2, 2E]` of every network, in the order of their names."""
        return [self.get_buffer(f"edges_{network}") for network in range(len(self.networks.names))]

    def num_parameters(self) -> int:
        """Trainable numbers."""
        return sum(parameter.numel() for parameter in self.parameters())

    def weight_penalty(self) -> Tensor:
        """`Σ‖W‖²` over all matrices, the genes' features included."""
        matrices = [p for p in self.parameters() if p.dim() > 1]
        return torch.stack([matrix.square().sum() for matrix in matrices]).sum()
