"""What the whole cell loses with its deleted genes, and how that joins the score of the set.

The wild type is the mean of its genes' values T, weighed by attention p; the mutant is the same of
the genes that are left. With the mean m = Σ p T over all G genes, their difference is

    m − Σ over genes left of p T / Σ over genes left of p
        =  Σ over deleted genes of p (T − m)  /  (1 − Σ over deleted genes of p)

so that only the deleted genes are visited, once the wild type is known. It is taken G times, so
that a gene of average weight counts about 1, and is 0 for the wild type.

Shapes: G genes, D width, B samples, K places for genes, P phenotypes.
"""

import torch
from torch import Tensor, nn


class CellDifference(nn.Module):
    """A score `[B, P]` of the attention-pooled difference of wild type and mutant.

    Args:
        width: D.
        phenotypes: P.
    """

    def __init__(self, width: int, phenotypes: int) -> None:
        super().__init__()
        # No bias at the end: it would move the weights of all genes alike.
        self.weight = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1, bias=False)
        )
        self.value = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.score = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, phenotypes))

    def forward(self, x_GD: Tensor, index_BK: Tensor, present_BK: Tensor) -> Tensor:
        """`[B, P]`.

        Args:
            x_GD: embeddings of all genes.
            index_BK: int64 deleted genes; those at positions without a gene do not count.
            present_BK: bool, whether there is a gene.
        """
        result: Tensor = self.score(self.difference(x_GD, index_BK, present_BK))
        return result

    def difference(self, x_GD: Tensor, index_BK: Tensor, present_BK: Tensor) -> Tensor:
        """`[B, D]`: G times the difference of the means."""
        share_G = self.weight(x_GD).squeeze(-1).softmax(dim=0)
        value_GD = self.value(x_GD)
        mean_D = share_G @ value_GD
        deleted_BK = share_G[index_BK] * present_BK
        lost_BD = torch.einsum("bk,bkd->bd", deleted_BK, value_GD[index_BK] - mean_D)
        left_B = 1 - deleted_BK.sum(dim=1)  # 0 where all genes are deleted: there is no cell left
        result: Tensor = lost_BD / left_B.clamp(min=1 / len(x_GD) ** 2).unsqueeze(1) * len(x_GD)
        return result


class Gate(nn.Module):
    """A mean of two scores, whose weights depend on both.

    Args:
        width: of its hidden layer.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, of_set_BP: Tensor, of_cell_BP: Tensor) -> Tensor:
        """`[B, P]`."""
        both_BP2 = torch.stack([of_set_BP, of_cell_BP], dim=-1)
        result: Tensor = (self.weight(both_BP2).softmax(dim=-1) * both_BP2).sum(dim=-1)
        return result
