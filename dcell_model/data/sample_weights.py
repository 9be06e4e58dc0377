"""Weights of samples' squared errors in training: more where the measurement is surer.

With `train.weights=sd` that is 1 / (s² + s₀²), s being the standard deviation that the tables give
and s₀² the median of s² over the training part. A standard deviation of a few colonies is itself
uncertain, and most of an error that a model makes is not the measurement's: so no sample counts
more than twice the median one. A sample without a standard deviation counts as one with s = s₀.

With `train.weights=count` it is the number of rows that were merged, at most ten times the median.
Rows that are copies of one another are counted, too (`pipeline.genotypes.measurement_noise`).

Weights are those of the whole training part, with mean 1 for each phenotype. Validation, test and
baselines have none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data_specs.errors import InputError
from data_specs.measurement_error import weighing_column
from dcell_model.data.dataset import MutantStateBatch, MutantStateDataset
from dcell_model.data.targets import stored_phenotypes

Kind = Literal["none", "sd", "count"]
Values = npt.NDArray[np.float64]
COUNT = "count"
MOST = 10  # times the median


@dataclass(slots=True)
class SampleWeights:
    """Weights of all samples of a store.

    Attributes:
        values: `[N, P]` float32, 1 outside of the training part; None if all count alike.
    """

    values: Tensor | None

    @classmethod
    def of(
        cls, dataset: MutantStateDataset, training: npt.NDArray[np.int64], kind: Kind
    ) -> "SampleWeights":
        """The weights that `train.weights` asks for.

        Args:
            dataset: the store, with the P phenotypes that are trained.
            training: `[n]` sample numbers of the training part.
            kind: of weights.

        Raises:
            InputError: the store lacks a column that they need.
        """
        if kind == "none":
            return cls(None)
        columns = _columns(dataset, kind)
        stored = stored_phenotypes(dataset, columns)[training].astype(np.float64)
        make = by_deviation if kind == "sd" else by_count
        weights = np.ones((len(dataset), len(columns)), dtype=np.float32)
        weights[training] = np.stack([make(column) for column in stored.T], axis=1)
        return cls(torch.from_numpy(weights))

    def __call__(self, batch: MutantStateBatch) -> Tensor | None:
        """`[B, P]` of a batch, on its device."""
        if self.values is None:
            return None
        self.values = self.values.to(batch.index.device)
        return self.values[batch.index]


def _columns(dataset: MutantStateDataset, kind: Kind) -> Sequence[str]:
    stored = dataset.meta.phenotypes
    where = f"{dataset.reader.folder}: train.weights={kind}"
    if kind == "count":
        if COUNT not in stored:
            raise InputError(f"{where}, but the store has no column '{COUNT}'; build it again")
        return [COUNT] * len(dataset.phenotypes)
    found = []
    for name in dataset.phenotypes:
        column = weighing_column(name, stored)
        if column is None:
            raise InputError(
                f"{where}, but there is no standard deviation of '{name}' among "
                f"{', '.join(stored)}; expected a column '{name}_sd' or '{name}_std'. Build with a "
                "table that has one, or set train.weights to count or none."
            )
        found.append(column)
    return found


def by_deviation(deviations: Values) -> Values:
    """Weights `[n]` of mean 1 by standard deviations `[n]`, NaN where there is none."""
    squares = deviations**2
    known = squares[~np.isnan(squares)]
    usual = float(np.median(known)) if len(known) else 0.0
    if usual == 0:  # of half of them or more: then nothing tells which are surer
        return np.ones(len(deviations))
    return _normal(1 / (np.where(np.isnan(squares), usual, squares) + usual))


def by_count(counts: Values) -> Values:
    """Weights `[n]` of mean 1 by numbers of merged rows `[n]`, each at least 1."""
    return _normal(counts)


def _normal(weights: Values) -> Values:
    clipped = np.minimum(weights, MOST * np.median(weights))
    normal: Values = clipped / clipped.mean()
    return normal
