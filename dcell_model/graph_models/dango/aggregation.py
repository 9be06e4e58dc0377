"""One embedding a gene from those that it has in the networks.

All are called with the gene's own features, which no network made, and its embeddings in the
networks. Shapes: N genes, W networks, D width.
"""

import torch
from torch import Tensor, nn

from data_specs.parameters import Dango as DangoConfig


class CrossAttention(nn.Module):
    """The gene asks its networks: its own features are the query, its embeddings keys and values.

    Scaled dot-product attention with several heads (Vaswani et al. 2017), over the W networks of
    one gene, so that a gene may rely on one network where another relies on a second.
    """

    def __init__(self, config: DangoConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = nn.Linear(config.width, config.width)
        self.key = nn.Linear(config.width, config.width)
        self.value = nn.Linear(config.width, config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, own_ND: Tensor, networks_NWD: Tensor) -> Tensor:
        """`[N, D]`."""
        split = (self.heads, own_ND.shape[-1] // self.heads)
        query = self.query(own_ND).unflatten(-1, split)  # [N, H, d]
        key = self.key(networks_NWD).unflatten(-1, split)  # [N, W, H, d]
        value = self.value(networks_NWD).unflatten(-1, split)
        affinity = (query.unsqueeze(1) * key).sum(-1) * split[1] ** -0.5  # [N, W, H]
        mixed = (affinity.softmax(dim=1).unsqueeze(-1) * value).sum(1)  # [N, H, d]
        result: Tensor = self.out(mixed.flatten(1)) + own_ND
        return result


class PairwiseInteraction(nn.Module):
    """The mean over the networks, and attention between pairs of them.

    The sum of the products of all pairs of networks is `((Σ a)² − Σ a²) / 2` (Rendle 2010), so its
    cost grows with W and not with W². A single network makes no pair.
    """

    def __init__(self, config: DangoConfig, networks: int) -> None:
        super().__init__()
        self.pairs = networks * (networks - 1) / 2
        self.factors = nn.ModuleList(nn.Linear(config.width, config.width) for _ in range(networks))
        self.out = nn.Linear(2 * config.width, config.width)

    def forward(self, own_ND: Tensor, networks_NWD: Tensor) -> Tensor:
        """`[N, D]`."""
        factors = torch.stack(
            [layer(networks_NWD[:, network]) for network, layer in enumerate(self.factors)], dim=1
        )
        products = (factors.sum(1).square() - factors.square().sum(1)) / 2 / max(1.0, self.pairs)
        both = torch.cat([networks_NWD.mean(1), products], dim=-1)
        result: Tensor = self.out(both) + own_ND
        return result


class MetaEmbedding(nn.Module):
    """The mean of the networks' embeddings, weighed for each gene by what they are; as published.

        α(w) = softmax over networks of MLP(z(w)),  x = Σ α(w) z(w)

    with one MLP of two layers for all networks (Zhang et al. 2020). The gene's own features are in
    it only as far as the encoders kept them.
    """

    def __init__(self, config: DangoConfig) -> None:
        super().__init__()
        # No bias at the end: it would move the weights of all networks alike.
        self.weight = nn.Sequential(
            nn.Linear(config.width, config.width), nn.ReLU(),
            nn.Linear(config.width, 1, bias=False),
        )  # fmt: skip

    def forward(self, own_ND: Tensor, networks_NWD: Tensor) -> Tensor:  # noqa: ARG002
        """`[N, D]`."""
        share_NW1 = self.weight(networks_NWD).softmax(dim=1)
        result: Tensor = (share_NW1 * networks_NWD).sum(dim=1)
        return result


def aggregation(config: DangoConfig, networks: int) -> nn.Module:
    """The layer of `dango.aggregation`."""
    if config.aggregation == "cross_attention":
        return CrossAttention(config)
    if config.aggregation == "pairwise":
        return PairwiseInteraction(config, networks)
    return MetaEmbedding(config)
