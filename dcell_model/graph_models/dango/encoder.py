"""Embed the genes of one network by their neighbours: GraphSAGE or GIN.

The whole graph is encoded at once, over its sparse edges.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from data_specs.parameters import Dango as DangoConfig
from dcell_model.graph_models.convolutions import convolution


class NetworkEncoder(nn.Module):
    """`depth` graph convolutions.

    With `norm: layer` each is normalised over a gene's width, and all but the last are followed by
    ReLU. With `none`, as published, each is followed by swish, the last one too.

    Args:
        config: encoder, norm, width D and depth.
    """

    def __init__(self, config: DangoConfig) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            convolution(config.encoder, config.width) for _ in range(config.depth)
        )
        normed = config.norm == "layer"
        self.norms = nn.ModuleList(nn.LayerNorm(config.width) for _ in range(config.depth * normed))

    def forward(self, x_GD: Tensor, edge_index: Tensor) -> Tensor:
        """Embeddings `[G, D]`.

        Args:
            x_GD: features of the genes.
            edge_index: `[2, 2E]` int64, every edge in both directions.
        """
        if not self.norms:
            for layer in self.convolutions:
                x_GD = F.silu(layer(x_GD, edge_index))
            return x_GD
        last = len(self.norms) - 1
        for index, (layer, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            x_GD = norm(layer(x_GD, edge_index))
            if index < last:
                x_GD = F.relu(x_GD)
        return x_GD
