"""Encode genes over several networks at once: every layer sees all of them.

Shapes: N genes (G, or several times G in copies of the graph), W networks, D width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from data_specs.parameters import Multigraph as MultigraphConfig
from dcell_model.graph_models.convolutions import convolution
from dcell_model.graph_models.multigraph.aggregation import aggregation


class GeneEncoder(nn.Module):
    """An MLP that takes in the genes' features, then `depth` layers over all networks.

    MLP and layers are added to what they are given (He et al. 2016), so that a gene's own part has
    a short way, and high learning rates do no harm.

    Args:
        config: convolution, aggregation, and sizes.
        networks: W.
    """

    def __init__(self, config: MultigraphConfig, networks: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for _ in range(config.preprocess_layers):
            parts += [
                nn.Linear(config.width, config.width), nn.LayerNorm(config.width), nn.ReLU(),
            ]  # fmt: skip
        self.preprocess = nn.Sequential(*parts)
        self.layers = nn.ModuleList(Layer(config, networks) for _ in range(config.depth))

    def forward(self, features_ND: Tensor, edges: Sequence[Tensor]) -> Tensor:
        """Embeddings `[N, D]`.

        Args:
            features_ND: of the genes.
            edges: `[2, 2E]` int64 of each network, every edge in both directions.
        """
        x_ND: Tensor = features_ND + self.preprocess(features_ND)
        for layer in self.layers:
            x_ND = layer(x_ND, edges)
        return x_ND


class Layer(nn.Module):
    """A convolution a network, and the networks brought together, added to what was there.

    So a gene that no network has keeps its own features.
    """

    def __init__(self, config: MultigraphConfig, networks: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            convolution(config.convolution, config.width, config.heads) for _ in range(networks)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(config.width) for _ in range(networks))
        self.aggregate = aggregation(config, networks)

    def forward(self, x_ND: Tensor, edges: Sequence[Tensor]) -> Tensor:
        """`[N, D]`."""
        of_networks = [
            torch.relu(norm(convolve(x_ND, own)))
            for convolve, norm, own in zip(self.convolutions, self.norms, edges, strict=True)
        ]
        result: Tensor = x_ND + self.aggregate(torch.stack(of_networks, dim=1))
        return result
