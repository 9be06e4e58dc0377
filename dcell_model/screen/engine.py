"""Predictions of the genotypes of a screen, from parts that many of them share."""

import itertools

import numpy as np
import torch

from dcell_model.dcell.engines import NativeUnits, Units, can_combine, combine, units_of
from dcell_model.predict import IntArray, Trained

MOST_UNITS = 4096  # pairs whose differences are kept at a time, in the triples of one call


class ScreenEngine:
    """Predicts pairs as a gene and a gene, and triples as a pair that recurs and a gene.

    A model with attention predicts each genotype by itself. All single deletions are evaluated when
    the first genotype is asked for.

    Args:
        trained: its members' parameters must not change.
        batch_size: genotypes at a time.
        threads: that combine them.
    """

    def __init__(self, trained: Trained, batch_size: int, threads: int = 1) -> None:
        self.trained, self.batch_size, self.threads = trained, batch_size, threads
        self._single: list[Units] | None = None

    def single(self) -> list[Units]:
        """The single deletions, by gene index, of each member."""
        if self._single is None:
            self._single = self._units(np.arange(self.trained.graph.num_genes)[:, None])
        return self._single

    def predict(self, genotypes: IntArray) -> torch.Tensor:
        """`[K, B, P]` predictions of `[B, k]` genotypes, as `Trained.roots` gives them."""
        order = genotypes.shape[1]
        combines = all(can_combine(model) for model in self.trained.with_subsystems())
        if order not in (1, 2, 3) or not len(genotypes) or not combines:
            return self.trained.roots(genotypes, batch_size=self.batch_size)
        if order == 1:
            genes = torch.tensor(genotypes[:, 0], device=self.trained.device)
            return torch.stack([own.wild_type + own.root[genes] for own in self.single()]).cpu()
        if order == 2:
            return self._combine(self.single(), *genotypes.T)
        choices = (self._pairs(genotypes, own) for own in itertools.combinations(range(3), 2))
        pairs, number, gene = min(choices, key=lambda choice: len(choice[0]))
        if len(pairs) > min(MOST_UNITS, len(genotypes) / 4):
            return self.trained.roots(genotypes, batch_size=self.batch_size)
        return self._combine(self._units(pairs), number, gene)

    def _pairs(
        self, genotypes: IntArray, columns: tuple[int, int]
    ) -> tuple[IntArray, IntArray, IntArray]:
        """The distinct pairs in two columns; each genotype's pair, and its other gene."""
        (third,) = {0, 1, 2} - set(columns)
        genes = self.trained.graph.num_genes
        keys = genotypes[:, columns[0]] * genes + genotypes[:, columns[1]]
        unique, number = np.unique(keys, return_inverse=True)
        return np.stack(np.divmod(unique, genes), axis=1), number, genotypes[:, third]

    def _units(self, genotypes: IntArray) -> list[Units]:
        batch = self.trained.encode_table(genotypes)
        return [units_of(model, batch) for model in self.trained.with_subsystems()]

    def _combine(self, left: list[Units], unit: IntArray, gene: IntArray) -> torch.Tensor:
        numbers = (torch.tensor(own, device=self.trained.device) for own in (unit, gene))
        # The native pass cuts them into blocks of its own.
        size = len(unit) if isinstance(left[0], NativeUnits) else self.batch_size
        parts = list(zip(*(own.split(size) for own in numbers), strict=True))
        of_members = zip(self.trained.with_subsystems(), left, self.single(), strict=True)
        return torch.stack([
            torch.cat([
                combine(model, a, unit, b, gene, self.threads).cpu() for unit, gene in parts
            ])
            for model, a, b in of_members
        ])  # fmt: skip
