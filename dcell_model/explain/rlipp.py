"""RLIPP: how much better a term's own neurons predict the phenotype than its inputs.

Two ridge regressions are fitted, one on the neurons of a term and one on its inputs: the neurons of
its children (Ma et al. 2018; Kuenzi et al. 2020, doi:10.1016/j.ccell.2020.09.014) and the states of
its direct genes, without which a term without children had nothing to be compared with. The samples
that touch the term are halved; what is fitted on one half is scored on the other, and the two
Spearman correlations are averaged. No row is ever fitted and scored by the same regression.

    RLIPP = ρ(own neurons) / ρ(inputs)        gain = ρ(own neurons) − ρ(inputs)

A ratio of two correlations near 0 says nothing, so that the test is one of the gain: residuals of
the inputs' held-out predictions are permuted and added to them again (Freedman and Lane 1983). A
term passes if its neurons know more of the phenotype than a ridge regression on its inputs does.

Shapes: n samples, F features, C columns (the phenotype, and permuted ones).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dcell_model.explain.permutation import p_value
from dcell_model.predict import IntArray

PENALTY = 1.0  # ridge's, in units in which features have mean square 1: as much noise as signal
ROUNDING = 1e-5  # predictions this close, in standard deviations of the phenotype, are tied


@dataclass(frozen=True, slots=True)
class Rlipp:
    """Of one term: both Spearman correlations, and the p-value of their difference."""

    own: float
    inputs: float
    p: float

    @property
    def gain(self) -> float:
        """ρ(own) − ρ(inputs)."""
        return self.own - self.inputs

    @property
    def ratio(self) -> float | None:
        """ρ(own) / ρ(inputs); None where the inputs do not predict at all (ρ ≤ 0)."""
        return self.own / self.inputs if self.inputs > 0 else None


def rlipp(own: Tensor, inputs: Tensor, phenotype: Tensor, half: Tensor, orders: IntArray) -> Rlipp:
    """Compare the neurons of a term with its inputs.

    Args:
        own: `[n, w]` float64, differences of the term's neurons from the wild type's.
        inputs: `[n, F]` float64, the same of its children, and which direct genes are deleted.
        phenotype: `[n]` float64.
        half: `[n]` bool, which half each sample is in; both have at least two.
        orders: `[N, n]` permutations of the samples.
    """
    y = (phenotype - phenotype.mean()) / phenotype.std(correction=0).clamp(min=1e-300)
    smooth_own, smooth_inputs = Smoother(own, half), Smoother(inputs, half)
    expected = smooth_inputs(y[:, None])
    residual = (y[:, None] - expected)[:, 0]
    permuted = expected + residual[torch.from_numpy(orders)].t()
    ys = torch.cat([y[:, None], permuted], dim=1)  # [n, 1 + N]
    truth = [ranks(ys[side]) for side in (half, ~half)]
    found = [
        _spearman([ranks(_rounded(smooth(ys))[side]) for side in (half, ~half)], truth)
        for smooth in (smooth_own, smooth_inputs)
    ]
    gain = (found[0] - found[1]).numpy()
    return Rlipp(float(found[0][0]), float(found[1][0]), p_value(float(gain[0]), gain[1:]))


class Smoother:
    """Ridge regressions fitted on each half, and their predictions for the other.

    Args:
        features: `[n, F]`.
        half: `[n]` bool.
    """

    def __init__(self, features: Tensor, half: Tensor) -> None:
        self.half = half
        self.matrices: list[tuple[Tensor, Tensor, Tensor]] = []  # of ~half from half, and back
        for fit in (half, ~half):
            mean = features[fit].mean(0)
            x, new = features[fit] - mean, features[~fit] - mean
            size = float(x.square().sum(1).mean())  # features of all sizes have one penalty
            if size > 0:
                x, new = x / size**0.5, new / size**0.5
            if x.shape[1] < x.shape[0]:  # the normal equations, or their dual: whichever is less
                gram = x.t() @ x
                right, left = x.t(), new
            else:
                gram = x @ x.t()
                right, left = torch.eye(len(x), dtype=x.dtype), new @ x.t()
            gram.diagonal().add_(PENALTY)
            self.matrices.append((left, torch.linalg.cholesky(gram), right))

    def __call__(self, y: Tensor) -> Tensor:
        """`[n, C]` predictions of phenotypes `[n, C]`, each by the half that it is not in."""
        predicted = torch.empty_like(y)
        for fit, (left, factor, right) in zip((self.half, ~self.half), self.matrices, strict=True):
            mean = y[fit].mean(0)
            weights = torch.cholesky_solve(right @ (y[fit] - mean), factor)
            predicted[~fit] = left @ weights + mean
        return predicted


def _rounded(predicted: Tensor) -> Tensor:
    """Equal states give equal predictions but for the last bits, which are no order."""
    return (predicted / ROUNDING).round_()


def ranks(values: Tensor) -> Tensor:
    """Ranks `[n, C]` float64 within each column; equal values share the mean of theirs."""
    from scipy.stats import rankdata

    return torch.from_numpy(rankdata(values.numpy(), axis=0))


def _spearman(predicted: list[Tensor], truth: list[Tensor]) -> Tensor:
    """`[C]` mean over the halves; 0 where all predictions of a half are equal."""
    found = []
    for a, b in zip(predicted, truth, strict=True):
        a, b = a - a.mean(0), b - b.mean(0)
        size = (a.square().sum(0) * b.square().sum(0)).sqrt()
        found.append(torch.where(size > 0, (a * b).sum(0) / size.clamp(min=1e-300), 0))
    return torch.stack(found).mean(0)
