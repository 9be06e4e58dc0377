"""Encode genes over several networks at once: every layer sees all of them.

Each part reads what is normalised over a gene's width, and is added to what it was given, with a
learnable weight γ (Touvron et al. 2021):

    x ← features + γ MLP(LayerNorm(features))
    x ← x + γ aggregate over networks of ReLU(LayerNorm(convolution of the network(LayerNorm(x))))

γ is small at first, so that a gene is above all itself, and its networks add to that as far as it
helps. Without γ a gene's own part is lost under its neighbours' at the learning rate that the other
models train with. The norm behind a convolution makes up for the number of neighbours, which GIN
adds up.

Shapes: N genes (G, or several times G in copies of the graph), W networks, D width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from data_specs.parameters import Multigraph as MultigraphConfig
from dcell_model.graph_models.convolutions import convolution
from dcell_model.graph_models.multigraph.aggregation import aggregation

GAMMA = 0.1  # at first


class GeneEncoder(nn.Module):
    """An MLP that takes in the genes' features, then `depth` layers over all networks.

    Args:
        config: convolution, aggregation, and sizes.
        networks: W.
    """

    def __init__(self, config: MultigraphConfig, networks: int) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.LayerNorm(config.width)]
        for _ in range(config.preprocess_layers):
            parts += [nn.Linear(config.width, config.width), nn.ReLU()]
        self.preprocess = nn.Sequential(*parts[:-1])
        self.gamma = nn.Parameter(torch.full((1,), GAMMA))
        self.layers = nn.ModuleList(Layer(config, networks) for _ in range(config.depth))

    def forward(self, features_ND: Tensor, edges: Sequence[Tensor]) -> Tensor:
        """Embeddings `[N, D]`.

        Args:
            features_ND: of the genes.
            edges: `[2, 2E]` int64 of each network, every edge in both directions.
        """
        x_ND: Tensor = features_ND + self.gamma * self.preprocess(features_ND)
        for layer in self.layers:
            x_ND = layer(x_ND, edges)
        return x_ND


class Layer(nn.Module):
    """A convolution a network, and the networks brought together, added to what was there.

    So a gene that no network has keeps its own features.
    """

    def __init__(self, config: MultigraphConfig, networks: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width)
        self.convolutions = nn.ModuleList(
            convolution(config.convolution, config.width, config.heads) for _ in range(networks)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(config.width) for _ in range(networks))
        self.aggregate = aggregation(config, networks)
        self.gamma = nn.Parameter(torch.full((1,), GAMMA))

    def forward(self, x_ND: Tensor, edges: Sequence[Tensor]) -> Tensor:
        """`[N, D]`."""
        normed_ND = self.norm(x_ND)
        of_networks = [
            torch.relu(norm(convolve(normed_ND, own)))
            for convolve, norm, own in zip(self.convolutions, self.norms, edges, strict=True)
        ]
        result: Tensor = x_ND + self.gamma * self.aggregate(torch.stack(of_networks, dim=1))
        return result
