"""The baseline that knows nothing of a genotype."""

from typing import TYPE_CHECKING

import numpy as np

from data_specs.parameters import Baselines
from dcell_model.baselines.samples import Bools, Fit, Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def fit_mean(
    genotypes: "csr_array",  # noqa: ARG001
    targets: Floats,
    train: Bools,
    val: Bools,  # noqa: ARG001
    config: Baselines,  # noqa: ARG001
) -> Fit:
    """Predict the mean of the training part, whatever the genotypes; called as the others are."""
    mean: Floats = np.nanmean(targets[train], axis=0)
    return Fit(np.tile(mean, (len(targets), 1)), len(mean), {})
