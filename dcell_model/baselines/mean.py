"""The baseline that knows nothing of a genotype."""

import numpy as np

from dcell_model.baselines.samples import Bools, Fit, Floats


def fit_mean(targets: Floats, train: Bools) -> Fit:
    """Predict the mean of the training part."""
    mean: Floats = np.nanmean(targets[train], axis=0)
    return Fit(np.tile(mean, (len(targets), 1)), len(mean), {})
