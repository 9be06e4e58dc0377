"""Predictions of the genotypes of a screen, from parts that many of them share."""

import itertools

import numpy as np
import numpy.typing as npt
import torch

from dcell_model.engines.combined import Units, combine
from dcell_model.trained import FloatArray, IntArray, Trained

MOST_UNITS = 4096  # pairs whose differences are kept at a time, in the triples of one call


class ScreenEngine:
    """Predicts pairs as a gene and a gene, and triples as a pair that recurs and a gene.

    All single deletions are evaluated when the first genotype is asked for.

    Args:
        trained: the model; its parameters must not change.
        batch_size: genotypes at a time.
    """

    def __init__(self, trained: Trained, batch_size: int) -> None:
        self.trained, self.batch_size = trained, batch_size
        self._single: Units | None = None

    def single(self) -> Units:
        """The single deletions, by gene index."""
        if self._single is None:
            self._single = self._units(np.arange(self.trained.model.graph.num_genes)[:, None])
        return self._single

    def predict(self, genotypes: IntArray) -> FloatArray:
        """`[B, P]` predictions of `[B, k]` genotypes, as `Trained.predict` gives them."""
        order = genotypes.shape[1]
        if order not in (1, 2, 3) or not len(genotypes):
            return self.trained.predict(genotypes, batch_size=self.batch_size)
        if order == 1:
            single = self.single()
            roots = single.root[torch.tensor(genotypes[:, 0], device=single.root.device)]
            predictions: FloatArray = self.trained.predictions(single.wild_type + roots).numpy()
            return predictions
        if order == 2:
            return self._combine(self.single(), *genotypes.T)
        choices = (self._pairs(genotypes, own) for own in itertools.combinations(range(3), 2))
        pairs, number, gene = min(choices, key=lambda choice: len(choice[0]))
        if len(pairs) > min(MOST_UNITS, len(genotypes) / 4):
            return self.trained.predict(genotypes, batch_size=self.batch_size)
        return self._combine(self._units(pairs), number, gene)

    def _pairs(
        self, genotypes: IntArray, columns: tuple[int, int]
    ) -> tuple[IntArray, IntArray, IntArray]:
        """The distinct pairs in two columns; each genotype's pair, and its other gene."""
        (third,) = {0, 1, 2} - set(columns)
        genes = self.trained.model.graph.num_genes
        keys = genotypes[:, columns[0]] * genes + genotypes[:, columns[1]]
        unique, number = np.unique(keys, return_inverse=True)
        return np.stack(np.divmod(unique, genes), axis=1), number, genotypes[:, third]

    def _units(self, genotypes: IntArray) -> Units:
        offsets = np.arange(len(genotypes) + 1) * genotypes.shape[1]
        return Units(self.trained.model, self.trained.encode(offsets, genotypes.reshape(-1)))

    def _combine(self, left: Units, unit: IntArray, gene: IntArray) -> FloatArray:
        device = self.trained.model.bias.device

        def split(values: npt.NDArray[np.int64]) -> tuple[torch.Tensor, ...]:
            parts: tuple[torch.Tensor, ...] = torch.tensor(values, device=device).split(
                self.batch_size
            )
            return parts

        parts = [
            self.trained.predictions(combine(self.trained.model, left, own, self.single(), right))
            for own, right in zip(split(unit), split(gene), strict=True)
        ]
        predictions: FloatArray = torch.cat(parts).numpy()
        return predictions
