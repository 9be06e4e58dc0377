"""One graph convolution of a gene network, by PyG: GraphSAGE, GIN or GATv2.

GraphSAGE (Hamilton et al. 2017) takes the mean over a gene's neighbours, GIN (Xu et al. 2019) their
sum, GATv2 (Brody et al. 2022) a mean that attention weighs. All keep the gene's own features, so
that a gene without a neighbour has an embedding, too.
"""

from torch import nn


def convolution(kind: str, width: int, heads: int = 1) -> nn.Module:
    """A layer that takes features `[N, D]` and edges `[2, E]` to `[N, D]`.

    Args:
        kind: `sage`, `gin` or `gatv2`.
        width: D.
        heads: of attention in `gatv2`; D is a multiple of them.
    """
    from torch_geometric.nn import GATv2Conv, GINConv, SAGEConv

    layer: nn.Module
    if kind == "sage":
        layer = SAGEConv(width, width, aggr="mean")
    elif kind == "gin":
        inner = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        layer = GINConv(inner, train_eps=True)
    elif kind == "gatv2":
        layer = GATv2Conv(width, width // heads, heads=heads, add_self_loops=True)
    else:
        raise AssertionError(kind)
    return layer
