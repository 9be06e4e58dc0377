"""One additive effect a gene."""

from typing import TYPE_CHECKING

import numpy as np

from data_specs.parameters import Baselines
from dcell_model.baselines.samples import Bools, Fit, Floats
from dcell_model.machine import progress

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def fit_ridge(
    genotypes: "csr_array", targets: Floats, train: Bools, val: Bools, config: Baselines
) -> Fit:
    """Fit additive effects of the genes to each phenotype; its penalty is chosen by MSE on `val`.

    All of `config.ridge_alphas` are tried: that is a search of its own, of one setting.

    Returns:
        The fit; it chose `alpha`, the penalty, or one a phenotype if there are several.
    """
    from sklearn.linear_model import Ridge

    predictions, alphas = np.empty_like(targets), []
    with progress("ridge", targets.shape[1] * len(config.ridge_alphas)) as shown:
        for column, target in enumerate(targets.T):
            known = ~np.isnan(target)
            fit, choose = np.flatnonzero(train & known), np.flatnonzero(val & known)
            ridges, errors = [], []
            for alpha in config.ridge_alphas:
                ridges.append(Ridge(alpha=alpha, tol=1e-6).fit(genotypes[fit], target[fit]))
                error = ridges[-1].predict(genotypes[choose]) - target[choose]
                errors.append(np.square(error).mean())
                shown.advance()
            best = ridges[int(np.argmin(errors))]
            predictions[:, column] = best.predict(genotypes)
            alphas.append(best.alpha)
    size = (genotypes.shape[1] + 1) * targets.shape[1]
    chosen = {"alpha": alphas[0] if len(alphas) == 1 else alphas}
    return Fit(predictions, size, chosen | {"trials": len(config.ridge_alphas)})
