"""Predictions of all heads in the form that costs least: the wild type's, and what differs."""

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from dcell_model.dcell.columns import sum_over_columns


@dataclass(slots=True)
class ColumnHeads:
    """Heads of B samples: the wild type's for every term, and the difference where there is one.

    Attributes:
        wild_type: `[T, P]`.
        difference: `[C, P]`, prediction less the wild type's, of every column (`dcell.columns`).
        term: `[C]` of every column.
        count: `[C]` samples that share it.
        sample, column: `[N]` of every touched (term, sample).
        samples: B.
    """

    wild_type: Tensor
    difference: Tensor
    term: Tensor
    count: Tensor
    sample: Tensor
    column: Tensor
    samples: int

    def dense(self) -> Tensor:
        """`[T, B, P]`."""
        heads = self.wild_type[:, None, :].expand(-1, self.samples, -1)
        where = self.entry_terms(), self.sample.long()
        return heads.index_put(where, self.entry_differences(), accumulate=True)

    def entry_terms(self) -> Tensor:
        """`[N]` term of every touched (term, sample)."""
        return self.term.index_select(0, self.column)

    def entry_differences(self) -> Tensor:
        """`[N, P]`, prediction less the wild type's, of every touched (term, sample)."""
        return self.difference.index_select(0, self.column)

    def root(self) -> Tensor:
        """`[B, P]`, the prediction of the model."""
        (entries,) = torch.nonzero(self.entry_terms() == 0, as_tuple=True)
        root = self.wild_type[0].expand(self.samples, -1)
        difference = self.difference.index_select(0, self.column.index_select(0, entries))
        return root.index_add(0, self.sample.index_select(0, entries), difference)

    def float(self) -> "ColumnHeads":
        """The same in float32."""
        return dataclasses.replace(
            self, wild_type=self.wild_type.float(), difference=self.difference.float()
        )

    def squared_errors(self, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """`[T]` mean squared error of each head against targets `[B, P]`.

        The wild type's error needs only mean and variance of the targets; columns correct it: with
        μ samples, Σ(ŷ − y)² − (w − y)² = D · (μ(2w + D) − 2Σy), D = ŷ − w. Targets are taken from
        their mean, which keeps more digits.

        Args:
            targets: `[B, P]`.
            weights: `[B, P]`, above 0, that squared errors are multiplied by before the mean over
                all B is taken. Mean and variance are then weighted, too.
        """
        if weights is None:
            mean, variance = targets.mean(0), targets.var(0, correction=0)
            everywhere = ((self.wild_type - mean).square() + variance).mean(1)
            share = self.count[:, None].to(targets.dtype)
            sums = self._sums(targets - mean)
        else:
            total = weights.mean(0)
            mean = (weights * targets).mean(0) / total
            variance = (weights * (targets - mean).square()).mean(0)
            everywhere = (total * (self.wild_type - mean).square() + variance).mean(1)
            share = self._sums(weights)
            sums = self._sums(weights * (targets - mean))
        wild_type = (self.wild_type - mean).index_select(0, self.term)
        correction = self.difference * (share * (2 * wild_type + self.difference) - 2 * sums)
        return everywhere.index_add(0, self.term, correction.mean(1) / self.samples)

    def _sums(self, values: Tensor) -> Tensor:
        """`[C, P]` sums of values `[B, P]` over the samples of every column."""
        sums: Tensor = sum_over_columns(values, self.sample, self.column, len(self.count))
        return sums


Heads = Tensor | ColumnHeads


def root_of(heads: Heads) -> Tensor:
    """`[B, P]`, the prediction of the model, of either form."""
    return heads.root() if isinstance(heads, ColumnHeads) else heads[0]
