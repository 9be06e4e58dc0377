"""DANGO-style: gene networks, encoded whole, then a head that scores the set of deleted genes.

After Zhang, Ma and Ma, "DANGO: Predicting higher-order genetic interactions" (2020,
doi:10.1101/2020.11.26.400739). Every network has an encoder of its own over features that the genes
share; a gene's embeddings are brought together, and the perturbed genes of a sample are looked up.

Where this differs: the networks' embeddings are joined by cross-attention or by pairwise
interaction, the head has one layer of attention, the loss is DCell's (squared error).
"""

import torch
from torch import Tensor, nn

from data_specs.cell_graph import CellGraph
from data_specs.gene_networks import GeneNetworks
from data_specs.parameters import Dango as DangoConfig
from dcell_model.dango.aggregation import CrossAttention, PairwiseInteraction
from dcell_model.dango.encoder import NetworkEncoder
from dcell_model.dango.hyper_sagnn import HyperSAGNN
from dcell_model.data import MutantStateBatch


class Dango(nn.Module):
    """The model on the networks of one build.

    Shapes: G genes of the store (those without annotation too), W networks, D width, B samples,
    P phenotypes.

    Args:
        graph: the cell graph of the store; only its fingerprint is used, to know the store by.
        networks: on the genes of the store.
        config: encoder, aggregation and sizes.
        phenotypes: P.

    Attributes:
        edges: by network, `[2, 2E]` int64 buffers: every edge in both directions. They are no part
            of a checkpoint, which names the networks by their digest.
        sync_batchnorm: of no account, there are no batch statistics.
    """

    def __init__(
        self,
        graph: CellGraph,
        networks: GeneNetworks,
        config: DangoConfig | None = None,
        *,
        phenotypes: int = 1,
    ) -> None:
        super().__init__()
        self.graph, self.networks = graph, networks
        self.config = config = config or DangoConfig()
        self.sync_batchnorm = False
        self.features = nn.Embedding(networks.num_genes, config.width)
        self.encoders = nn.ModuleList(NetworkEncoder(config) for _ in networks.names)
        self.aggregate = (
            CrossAttention(config)
            if config.aggregation == "cross_attention"
            else PairwiseInteraction(config, len(networks.names))
        )
        self.head = HyperSAGNN(config, phenotypes)
        for network, name in enumerate(networks.names):
            edges = torch.from_numpy(networks.edges[name]).T
            both = torch.cat([edges, edges.flip(0)], dim=1).contiguous()
            self.register_buffer(f"edges_{network}", both, persistent=False)

    @property
    def engine(self) -> str:
        """How it is run: there is one way for each encoder."""
        return self.config.encoder

    @property
    def edges(self) -> list[Tensor]:
        """`[2, 2E]` of every network, in the order of their names."""
        return [self.get_buffer(f"edges_{network}") for network in range(len(self.encoders))]

    def encode(self) -> list[Tensor]:
        """`[G, D]` embeddings of all genes in every network: one pass over the whole graphs."""
        return [
            encoder(self.features.weight, edges)
            for encoder, edges in zip(self.encoders, self.edges, strict=True)
        ]

    def forward(self, batch: MutantStateBatch, *, dense: bool = True) -> Tensor:  # noqa: ARG002
        """Predictions of B samples.

        The networks are encoded once, whatever B is. What is done for a gene alone, bringing its
        embeddings together, is done for the genes of the batch.

        Args:
            batch: on the model's device.
            dense: of no account; DCell's argument, so that both are called alike.

        Returns:
            `[1, B, P]`: one head, in the form of DCell's, of which the first is the prediction.
        """
        genes, position = batch.deleted_gene.unique(return_inverse=True)
        networks = torch.stack([every[genes] for every in self.encode()], dim=1)  # [N, W, D]
        embedded = self.aggregate(self.features.weight[genes], networks)  # [N, D]
        index, present = pad(batch.deleted_sample, position, len(batch))
        if len(genes) == 0:  # nothing but wild types: there is nothing to look up
            embedded = self.features.weight[:1]
        scores: Tensor = self.head(embedded[index], present)
        return scores.unsqueeze(0)

    def num_parameters(self) -> int:
        """Trainable numbers."""
        return sum(parameter.numel() for parameter in self.parameters())

    def weight_penalty(self) -> Tensor:
        """`Σ‖W‖²` over all matrices, the genes' features included."""
        matrices = [p for p in self.parameters() if p.dim() > 1]
        return torch.stack([matrix.square().sum() for matrix in matrices]).sum()


def pad(sample: Tensor, value: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """Ragged rows side by side.

    Args:
        sample: `[D]` which row a value belongs to, in any order.
        value: `[D]` int64.
        samples: B.

    Returns:
        `[B, K]` values, 0 where there is none, and `[B, K]` whether there is one; K is the length
        of the longest row, at least 1.
    """
    counts = torch.bincount(sample, minlength=samples)
    order = torch.argsort(sample, stable=True)
    starts = counts.cumsum(0) - counts
    row = sample[order]
    column = torch.arange(len(row), device=row.device) - starts[row]
    longest = max(1, int(counts.max())) if samples else 1
    values = value.new_zeros(samples, longest)
    values[row, column] = value[order]
    present = torch.arange(longest, device=row.device) < counts.unsqueeze(1)
    return values, present
