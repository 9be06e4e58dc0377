"""Embed the genes of one network by their neighbours: GraphSAGE or GIN, by PyG.

The whole graph is encoded at once, over its sparse edges. GraphSAGE (Hamilton et al. 2017) takes
the mean over a gene's neighbours, GIN (Xu et al. 2019) their sum.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from data_specs.parameters import Dango as DangoConfig


class NetworkEncoder(nn.Module):
    """`depth` graph convolutions, each normalised over a gene's width.

    Args:
        config: encoder, width D and depth.
    """

    def __init__(self, config: DangoConfig) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(_convolution(config) for _ in range(config.depth))
        self.norms = nn.ModuleList(nn.LayerNorm(config.width) for _ in range(config.depth))

    def forward(self, x_GD: Tensor, edge_index: Tensor) -> Tensor:
        """Embeddings `[G, D]`.

        Args:
            x_GD: features of the genes.
            edge_index: `[2, 2E]` int64, every edge in both directions.
        """
        last = len(self.norms) - 1
        for index, (convolution, norm) in enumerate(
            zip(self.convolutions, self.norms, strict=True)
        ):
            x_GD = norm(convolution(x_GD, edge_index))
            if index < last:
                x_GD = F.relu(x_GD)
        return x_GD


def _convolution(config: DangoConfig) -> nn.Module:
    from torch_geometric.nn import GINConv, SAGEConv

    width = config.width
    layer: nn.Module
    if config.encoder == "sage":
        layer = SAGEConv(width, width, aggr="mean")
    else:
        inner = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        layer = GINConv(inner, train_eps=True)
    return layer
