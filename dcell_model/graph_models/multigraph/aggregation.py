"""One embedding a gene from those that a layer's networks gave it.

Shapes: N genes, W networks, D width, H heads, Q pairs of networks.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data_specs.parameters import Multigraph as MultigraphConfig


class OverNetworks(nn.Module):
    """Their sum or mean, without parameters."""

    def __init__(self, reduce: Callable[..., Tensor]) -> None:
        super().__init__()
        self.reduce = reduce

    def forward(self, x_NWD: Tensor) -> Tensor:
        """`[N, D]`."""
        return self.reduce(x_NWD, dim=1)


class NetworkAttention(nn.Module):
    """Self-attention between the networks of a gene, then the mean over them.

    A learnable embedding tells the networks apart: without it attention could not know them.
    """

    def __init__(self, config: MultigraphConfig, networks: int) -> None:
        super().__init__()
        self.split = (config.heads, config.width // config.heads)
        self.which = nn.Parameter(0.02 * torch.randn(networks, config.width))
        self.inside = nn.Linear(config.width, 3 * config.width, bias=False)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, x_NWD: Tensor) -> Tensor:
        """`[N, D]`."""
        asked = self.inside(x_NWD + self.which).unflatten(-1, (3, *self.split))  # [N, W, 3, H, d]
        query, key, value = (part.transpose(1, 2) for part in asked.unbind(2))  # [N, H, W, d]
        mixed = F.scaled_dot_product_attention(query, key, value)
        result: Tensor = self.out(mixed.transpose(1, 2).flatten(2).mean(dim=1))
        return result


class PairAttention(nn.Module):
    """Every pair of networks through an MLP of its own, then attention over the pairs of a gene.

    A network and itself are a pair, too, so that there is one where there is one network.
    """

    def __init__(self, config: MultigraphConfig, networks: int) -> None:
        super().__init__()
        width = config.width
        self.pairs = [(a, b) for a in range(networks) for b in range(a, networks)]
        self.together = nn.ModuleList(
            nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, width))
            for _ in self.pairs
        )
        # No bias at the end: it would move the weights of all pairs alike.
        self.weight = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1, bias=False)
        )

    def forward(self, x_NWD: Tensor) -> Tensor:
        """`[N, D]`."""
        joined = [
            mlp(torch.cat([x_NWD[:, a], x_NWD[:, b]], dim=-1))
            for (a, b), mlp in zip(self.pairs, self.together, strict=True)
        ]
        joined_NQD = torch.relu(torch.stack(joined, dim=1))
        share_NQ1 = self.weight(joined_NQD).softmax(dim=1)
        result: Tensor = (share_NQ1 * joined_NQD).sum(dim=1)
        return result


def aggregation(config: MultigraphConfig, networks: int) -> nn.Module:
    """The layer of `multigraph.aggregation`."""
    if config.aggregation == "attention":
        return NetworkAttention(config, networks)
    if config.aggregation == "pairwise":
        return PairAttention(config, networks)
    return OverNetworks(torch.sum if config.aggregation == "sum" else torch.mean)
