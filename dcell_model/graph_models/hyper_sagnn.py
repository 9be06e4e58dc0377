"""Score sets of genes of any size: Hyper-SAGNN (Zhang, Zou and Ma 2020), in two forms.

For a set of genes with embeddings x, a gene has a static embedding, by itself, and a dynamic one,
as the others of the set see it; the score is made of the squared difference of the two:

    s(i) = tanh(W x(i))
    d(i) = tanh(Σ over j ≠ i of α(i, j) V x(j))         `HyperSAGNN`
    ŷ    = mean over i of FF((d(i) − s(i))²)

with attention α over the other genes of the set (several heads). `ReZeroHyperSAGNN` has several
layers, each added to what was there with a learnable weight β that is 0 at first (ReZero,
Bachlechner et al. 2021), as DANGO was published:

    d⁰(i) = x(i)
    dˡ(i) = dˡ⁻¹(i) + βˡ tanh(Oˡ Σ over j ≠ i of αˡ(i, j) Vˡ n(j)),  n = LayerNorm(dˡ⁻¹)
    ŷ     = mean over i of v · (LayerNorm(d(i)) − LayerNorm(s(i)))² + c

A gene that is alone has no others: nothing is added to it, and its score depends on its own
embedding alone. The empty set, the wild type, scores 0, which in trained units is the mean of the
training part.

Shapes: B sets, K places for genes (as many as the largest set has), D width, P phenotypes.
"""

import torch
from torch import Tensor, nn


class HyperSAGNN(nn.Module):
    """The head with one layer of attention; neither the order of the genes nor padding matters.

    Args:
        width: D, a multiple of heads.
        heads: of attention.
        phenotypes: P.
    """

    def __init__(self, width: int, heads: int, phenotypes: int) -> None:
        super().__init__()
        self.heads = heads
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
        return mean_over_set(self.score(difference), present_BK)

    def dynamic(self, x_BKD: Tensor, present_BK: Tensor) -> Tensor:
        """`[B, K, D]` embeddings by attention over the others; 0 where there are none."""
        parts = self.query(x_BKD), self.key(x_BKD), self.value(x_BKD)
        return torch.tanh(attention_over_others(*parts, present_BK, self.heads))


class ReZeroHyperSAGNN(nn.Module):
    """The head with several layers of attention; neither the order of genes nor padding matters.

    Args:
        width: D, a multiple of heads.
        heads: of attention.
        layers: of attention.
        phenotypes: P.
    """

    def __init__(self, width: int, heads: int, layers: int, phenotypes: int) -> None:
        super().__init__()
        self.static = nn.Linear(width, width)
        self.layers = nn.ModuleList(_ReZeroAttention(width, heads) for _ in range(layers))
        self.norm_static, self.norm_dynamic = nn.LayerNorm(width), nn.LayerNorm(width)
        self.score = nn.Linear(width, phenotypes)

    def forward(self, x_BKD: Tensor, present_BK: Tensor) -> Tensor:
        """`[B, P]` scores.

        Args:
            x_BKD: embeddings; values at positions without a gene do not count.
            present_BK: bool, whether there is a gene.
        """
        static = self.norm_static(torch.tanh(self.static(x_BKD)))
        dynamic = self.norm_dynamic(self.dynamic(x_BKD, present_BK))
        return mean_over_set(self.score((dynamic - static).square()), present_BK)

    def dynamic(self, x_BKD: Tensor, present_BK: Tensor) -> Tensor:
        """`[B, K, D]` embeddings by attention over the others; x itself where there are none."""
        for layer in self.layers:
            x_BKD = layer(x_BKD, present_BK)
        return x_BKD


class _ReZeroAttention(nn.Module):
    """`x + β tanh(O attention(x))`; no biases after the norm: a gene alone stays as it is."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.beta = nn.Parameter(torch.zeros(1))

    def forward(self, x_BKD: Tensor, present_BK: Tensor) -> Tensor:
        normed = self.norm(x_BKD)
        parts = self.query(normed), self.key(normed), self.value(normed)
        mixed = attention_over_others(*parts, present_BK, self.heads)
        result: Tensor = x_BKD + self.beta * torch.tanh(self.out(mixed))
        return result


def attention_over_others(
    query_BKD: Tensor, key_BKD: Tensor, value_BKD: Tensor, present_BK: Tensor, heads: int
) -> Tensor:
    """`[B, K, D]` what each gene hears from the others of its set; 0 where there are none.

    Args:
        query_BKD: of the genes that ask.
        key_BKD: of those that are asked.
        value_BKD: their answers.
        present_BK: bool, whether there is a gene.
        heads: that D is split among.
    """
    places, width = query_BKD.shape[1:]
    split = (heads, width // heads)
    query, key, value = (
        part.unflatten(-1, split).transpose(1, 2) for part in (query_BKD, key_BKD, value_BKD)
    )  # [B, H, K, d]
    affinity = query @ key.transpose(-1, -2) * split[1] ** -0.5
    itself = torch.eye(places, dtype=torch.bool, device=query.device)
    others = (present_BK.unsqueeze(1) & ~itself).unsqueeze(1)  # [B, 1, K, K]
    # The least finite number, not -inf: where there are no others, softmax stays defined, and
    # what it gives is taken out after it.
    affinity = affinity.masked_fill(~others, torch.finfo(affinity.dtype).min)
    attention = affinity.softmax(dim=-1) * others
    heard: Tensor = (attention @ value).transpose(1, 2).flatten(2)
    return heard


def mean_over_set(scores_BKP: Tensor, present_BK: Tensor) -> Tensor:
    """`[B, P]` mean of the scores of a set's genes; 0 of an empty set."""
    counted = present_BK.unsqueeze(-1).to(scores_BKP.dtype)
    mean: Tensor = (scores_BKP * counted).sum(1) / counted.sum(1).clamp(min=1)
    return mean
