"""A factorization machine on the deleted genes: the effect of each, and of each pair.

Rendle (2010), "Factorization machines", doi:10.1109/ICDM.2010.127, fitted by alternating least
squares (Rendle et al. 2011, doi:10.1145/2009916.2010002): in the effect w_i and the factors v_i of
one gene the model is linear, so that, all others held, the best of them solve a ridge regression on
the genotypes that lack the gene. A sweep does so gene by gene. The penalised squared error of the
training part never rises, there is no learning rate, and a few dozen sweeps are enough.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_specs.parameters import Baselines
from dcell_model.baselines.samples import Bools, Fit, Floats, known_mean_and_spread
from dcell_model.baselines.tuning import Settings, draw, halve, work
from dcell_model.machine import progress

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_PATIENCE, _INIT = 5, 0.1
# Penalties on w and v, of targets with a standard deviation of 1. Where nearly every pair of genes
# is seen once, strong ones are needed.
_FIRST = {"rank": 16, "penalty": 10.0, "factor_penalty": 3.0}
_CHOICES = {
    "rank": (4, 8, 16, 32),
    "penalty": (1.0, 3.0, 10.0, 30.0),
    "factor_penalty": (1.0, 3.0, 10.0, 30.0),
}


@dataclass(slots=True)
class FactorizationMachine:
    """y = b + Σ_i x_i w_i + Σ_{i<j} x_i x_j v_i·v_j over the deleted genes i, j; mostly x is 1.

    Attributes:
        bias: b.
        effects: w, `[G]`.
        factors: v, `[G, rank]`.
    """

    bias: float
    effects: Floats
    factors: Floats

    def predict(self, genotypes: "csr_array") -> Floats:
        """`[N]` for multi-hot genotypes `[N, G]`; in time linear in the deleted genes."""
        return self._of_sums(genotypes, genotypes @ self.factors)

    def _of_sums(self, genotypes: "csr_array", sums: Floats) -> Floats:
        # Twice the sum over pairs is the square of the sum less the sum of the squares.
        squares = genotypes.power(2) @ np.square(self.factors).sum(axis=1)
        pairs = (np.square(sums).sum(axis=1) - squares) / 2
        predicted: Floats = self.bias + genotypes @ self.effects + pairs
        return predicted

    def sweep(
        self, genotypes: "csr_array", targets: Floats, penalty: float, factor_penalty: float
    ) -> None:
        """Fit bias, then effect and factors of one gene after the other, all else held.

        Args:
            genotypes: `[n, G]` multi-hot.
            targets: `[n]`, none of them NaN.
            penalty: on the squared effects.
            factor_penalty: on the squared factors.
        """
        by_gene = genotypes.tocsc()
        sums = genotypes @ self.factors
        errors = targets - self._of_sums(genotypes, sums)
        shift = errors.mean()
        self.bias += shift
        errors -= shift
        ridge = np.diag([penalty] + [factor_penalty] * self.factors.shape[1])
        counts = np.diff(by_gene.indptr)
        self.effects[counts == 0] = 0.0  # nothing is known of them
        self.factors[counts == 0] = 0.0
        for gene in np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]:
            own = slice(by_gene.indptr[gene], by_gene.indptr[gene + 1])
            rows, x = by_gene.indices[own], by_gene.data[own, None].astype(np.float64)
            features = np.empty((len(rows), len(ridge)))  # the factors of its numbers
            features[:, :1] = x
            features[:, 1:] = x * (sums[rows] - x * self.factors[gene])
            before = np.concatenate([self.effects[gene, None], self.factors[gene]])
            # Of the step, not of the value: the present value is not solved for again.
            gradient = features.T @ errors[rows] - ridge @ before
            step = np.linalg.solve(features.T @ features + ridge, gradient)
            errors[rows] -= features @ step
            sums[rows] += x * step[1:]
            self.effects[gene] += step[0]
            self.factors[gene] += step[1:]


def fit_fm(
    genotypes: "csr_array", targets: Floats, train: Bools, val: Bools, config: Baselines
) -> Fit:
    """Fit a factorization machine to each phenotype, standardised; keep the sweep best on `val`.

    Returns:
        The fit; it chose `rank`, `penalty` and `factor_penalty`, and `sweep`: the one that was
        kept, counted from 1. With several phenotypes each is a list of as many.
    """
    from threadpoolctl import threadpool_limits

    mean, spread = known_mean_and_spread(targets[train])
    settings = draw(_CHOICES, _FIRST, config.trials, config.seed)
    rounds = work(len(settings), config.fm_sweeps)
    predictions, best = np.empty_like(targets), []
    with threadpool_limits(1), progress("fm", targets.shape[1] * rounds) as shown:
        for column, target in enumerate(((targets - mean) / spread).T):
            known = ~np.isnan(target)
            fit, choose = np.flatnonzero(train & known), np.flatnonzero(val & known)
            data = (genotypes[fit], target[fit], genotypes[choose], target[choose])
            trials = [_Trial(setting, *data, seed=config.seed) for setting in settings]
            best.append(halve(trials, config.fm_sweeps, shown))
            predictions[:, column] = best[-1].best.predict(genotypes)
    chosen = [{**trial.settings, "sweep": trial.kept} for trial in best]
    told = chosen[0] if len(chosen) == 1 else {key: [c[key] for c in chosen] for key in chosen[0]}
    size = sum(1 + trial.best.effects.size + trial.best.factors.size for trial in best)
    return Fit(predictions * spread + mean, size, told | {"trials": len(settings)})


class _Trial:
    """A machine with some settings, as it is and as it was after its best sweep."""

    def __init__(
        self, settings: Settings, genotypes: "csr_array", targets: Floats,
        val_genotypes: "csr_array", val_targets: Floats, seed: int,
    ) -> None:  # fmt: skip
        self.settings, self.error, self.kept, self.done = settings, np.inf, 0, 0
        self.data, self.val = (genotypes, targets), (val_genotypes, val_targets)
        genes, rank = genotypes.shape[1], settings["rank"]
        factors = np.random.default_rng(seed).normal(0, _INIT, (genes, rank))
        self.machine = FactorizationMachine(0.0, np.zeros(genes), factors)
        self.best = self.machine

    def advance(self, until: int) -> None:
        penalties = (self.settings["penalty"], self.settings["factor_penalty"])
        while self.done < until and self.done - self.kept < _PATIENCE:
            self.machine.sweep(*self.data, *penalties)
            self.done += 1
            error = float(np.square(self.machine.predict(self.val[0]) - self.val[1]).mean())
            if error < self.error:
                self.error, self.kept = error, self.done
                m = self.machine
                self.best = FactorizationMachine(m.bias, m.effects.copy(), m.factors.copy())
