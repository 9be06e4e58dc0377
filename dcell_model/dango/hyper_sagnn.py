"""Score sets of genes of any size: Hyper-SAGNN (Zhang, Zou and Ma 2020), as DANGO uses it.

For a set of genes with embeddings x,

    s(i) = tanh(W x(i))                         static: the gene by itself
    d(i) = tanh(Σ over j ≠ i of α(i, j) V x(j)) dynamic: the gene as the others of the set see it
    ŷ    = mean over i of FF((d(i) − s(i))²)

with attention α over the other genes of the set (several heads). A gene that is alone has no
others: its dynamic embedding is 0, and its score depends on its own embedding alone. The empty set,
the wild type, scores 0, which in trained units is the mean of the training part.

Shapes: B sets, K places for genes (as many as the largest set has), D width, P phenotypes.
"""

import torch
from torch import Tensor, nn

from data_specs.parameters import Dango as DangoConfig


class HyperSAGNN(nn.Module):
    """The head that scores sets; neither the order of the genes nor padding matters."""

    def __init__(self, config: DangoConfig, phenotypes: int) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.static = nn.Linear(width, width)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.score = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, phenotypes))

    def forward(self, x_BKD: Tensor, present_BK: Tensor) -> Tensor:
        """`[B, P]` scores.

        Args:
            x_BKD: embeddings; values at positions without a gene do not count.
            present_BK: bool, whether there is a gene.
        """
        difference = (self.dynamic(x_BKD, present_BK) - torch.tanh(self.static(x_BKD))).square()
        scores = self.score(difference)  # [B, K, P]
        counted = present_BK.unsqueeze(-1).to(scores.dtype)
        total: Tensor = (scores * counted).sum(1) / counted.sum(1).clamp(min=1)
        return total

    def dynamic(self, x_BKD: Tensor, present_BK: Tensor) -> Tensor:
        """`[B, K, D]` embeddings by attention over the others; 0 where there are none."""
        places, width = x_BKD.shape[1:]
        split = (self.heads, width // self.heads)

        def heads(layer: nn.Linear) -> Tensor:  # [B, H, K, d]
            parts: Tensor = layer(x_BKD).unflatten(-1, split).transpose(1, 2)
            return parts

        affinity = heads(self.query) @ heads(self.key).transpose(-1, -2) * split[1] ** -0.5
        itself = torch.eye(places, dtype=torch.bool, device=x_BKD.device)
        others = (present_BK.unsqueeze(1) & ~itself).unsqueeze(1)  # [B, 1, K, K]
        # The least finite number, not -inf: where there are no others, softmax stays defined, and
        # what it gives is taken out after it.
        affinity = affinity.masked_fill(~others, torch.finfo(affinity.dtype).min)
        attention = affinity.softmax(dim=-1) * others
        mixed = (attention @ heads(self.value)).transpose(1, 2).flatten(2)
        return torch.tanh(mixed)
