"""Genotypes as the baselines see them."""

from pathlib import Path

import numpy as np

from dcell_model.baselines import multi_hot
from dcell_model.baselines.samples import known_mean_and_spread
from dcell_model.data.dataset import MutantStateDataset


def test_multi_hot(tiny_build: Path) -> None:
    dataset = MutantStateDataset(tiny_build / "store")
    genotypes = multi_hot(dataset)
    assert genotypes.shape == (len(dataset), len(dataset.gene_ids))
    batch = dataset.batch(range(len(dataset)))
    expected = np.zeros(genotypes.shape)
    expected[batch.deleted_sample, batch.deleted_gene] = 1
    np.testing.assert_array_equal(genotypes.toarray(), expected)


def test_mean_and_spread_of_targets_with_gaps() -> None:
    targets = np.array([[1.0, np.nan, 5.0], [3.0, 2.0, 5.0], [np.nan, 4.0, 5.0]])
    mean, spread = known_mean_and_spread(targets)
    assert mean.tolist() == [2.0, 3.0, 5.0]
    assert spread.tolist() == [1.0, 1.0, 1.0]  # of the constant, too
