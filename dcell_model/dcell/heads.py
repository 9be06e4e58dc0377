"""Predictions of all heads in the form that costs least: the wild type's, and what differs."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(slots=True)
class TouchedHeads:
    """Heads of B samples: the wild type's for every term, and the difference where there is one.

    Attributes:
        wild_type: `[T, P]`.
        difference: `[N, P]`, prediction less the wild type's, of every touched (term, sample).
        term, sample: `[N]`.
        samples: B.
    """

    wild_type: Tensor
    difference: Tensor
    term: Tensor
    sample: Tensor
    samples: int

    def dense(self) -> Tensor:
        """`[T, B, P]`."""
        heads = self.wild_type[:, None, :].expand(-1, self.samples, -1)
        return heads.index_put((self.term, self.sample), self.difference, accumulate=True)

    def root(self) -> Tensor:
        """`[B, P]`, the prediction of the model."""
        (entries,) = torch.nonzero(self.term == 0, as_tuple=True)
        root = self.wild_type[0].expand(self.samples, -1)
        return root.index_add(0, self.sample[entries], self.difference[entries])

    def float(self) -> "TouchedHeads":
        """The same in float32."""
        return TouchedHeads(
            self.wild_type.float(), self.difference.float(), self.term, self.sample, self.samples
        )

    def squared_errors(self, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """`[T]` mean squared error of each head against targets `[B, P]`.

        The wild type's error needs only mean and variance of the targets; the touched samples
        correct it: (ŷ − y)² − (w − y)² = (ŷ − w)(2(w − y) + (ŷ − w)).

        Args:
            targets: `[B, P]`.
            weights: `[B, P]`, above 0, that squared errors are multiplied by before the mean over
                all B is taken. Mean and variance are then weighted, too.
        """
        if weights is None:
            mean, variance = targets.mean(0), targets.var(0, correction=0)
            everywhere = ((self.wild_type - mean).square() + variance).mean(1)
        else:
            share = weights.mean(0)
            mean = (weights * targets).mean(0) / share
            variance = (weights * (targets - mean).square()).mean(0)
            everywhere = (share * (self.wild_type - mean).square() + variance).mean(1)
        wild_type = self.wild_type.index_select(0, self.term)
        offset = wild_type - targets.index_select(0, self.sample)
        correction = self.difference * (2 * offset + self.difference)
        if weights is not None:
            correction = correction * weights.index_select(0, self.sample)
        correction = correction.mean(1) / self.samples
        return everywhere.index_add(0, self.term, correction)


Heads = Tensor | TouchedHeads


def root_of(heads: Heads) -> Tensor:
    """`[B, P]`, the prediction of the model, of either form."""
    return heads.root() if isinstance(heads, TouchedHeads) else heads[0]
