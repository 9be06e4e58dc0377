"""Calibration on the validation part: how far predictions should spread, and their errors.

A network that explains a small part of noisy measurements predicts too wide: its squared error may
be above the mean's while its ranking is right. A line with the slope of the validation part, held
between 0 (the training part's mean) and 1 (as predicted), corrects that (Platt-style scaling for
regression, as in Kuleshov et al. 2018, arXiv:1807.00263, with a line in place of an isotonic
function).

What still misses gives intervals by split conformal prediction (Lei et al. 2018,
doi:10.1080/01621459.2017.1307116): for new genotypes drawn like those of the validation part, the
interval of level 1 − α covers the measurement with probability at least 1 − α, whatever the model
is. Genotypes of another kind, such as genes that were never seen deleted, have no such promise.

An ensemble knows more: where its members differ it errs more. Its intervals may grow with the
spread s of the members, as 1 + c · s (normalised conformal prediction, Papadopoulos et al. 2008,
doi:10.1007/978-3-540-87987-9_31, eq. 6), where the validation part says that this makes them
narrower on the whole. The spread itself is no interval: it covers far less than it seems to.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

LEVEL = 0.9  # of an interval, where nobody asks for another
LEAST = 10  # measured validation samples, below which a line would follow noise
GAIN = 0.98  # of the plain intervals' mean width; others must be narrower than that


@dataclass(frozen=True, slots=True)
class Predictions:
    """Calibrated predictions of a model or of an ensemble, in the phenotypes' own units.

    Attributes:
        values: `[…, P]` float64, of an ensemble the mean of its members.
        spread: `[…, P]` float64, their standard deviation; 0 for one alone.
    """

    values: Tensor
    spread: Tensor


@dataclass(frozen=True, slots=True)
class Calibration:
    """A line for each phenotype, and the errors that are left.

    Attributes:
        slope, intercept: `[P]` float64; a prediction y in the phenotype's units becomes
            `intercept + slope · y`.
        errors: for each phenotype, its absolute errors on the validation part, in its own units,
            each divided by `1 + per_spread · spread`, sorted, float64; empty where there is no
            validation part.
        per_spread: `[P]` float64, in 1 / the phenotype's units, from 0; 0 for intervals that are
            equally wide everywhere.
    """

    slope: Tensor
    intercept: Tensor
    errors: tuple[Tensor, ...]
    per_spread: Tensor

    @property
    def has_intervals(self) -> bool:
        """Whether a validation part says how far predictions miss."""
        return all(len(own) > 0 for own in self.errors)

    @classmethod
    def none(cls, phenotypes: int) -> "Calibration":
        """Predictions unchanged, without intervals."""
        empty = torch.empty(0, dtype=torch.float64)
        zeros = torch.zeros(phenotypes, dtype=torch.float64)
        return cls(zeros + 1, zeros, (empty,) * phenotypes, zeros.clone())

    @classmethod
    def fit(
        cls,
        predicted: Tensor,
        measured: Tensor,
        *,
        line: bool = True,
        centre: Tensor | None = None,
        spread: Tensor | None = None,
    ) -> "Calibration":
        """Least squares on a validation part.

        Args:
            predicted: `[n, P]`, in the phenotypes' units.
            measured: `[n, P]`, NaN where not measured.
            line: false keeps predictions unchanged and uses their errors only.
            centre: `[P]` what the mean prediction becomes: the mean of the training part, which a
                prediction that says nothing is drawn to. That of a small validation part, or of
                one with genes of its own, is further from what comes. By default it is taken.
            spread: `[n, P]` of an ensemble's members, before calibration.
        """
        found = cls.none(predicted.shape[1])
        errors = []
        for column in range(predicted.shape[1]):
            known = ~measured[:, column].isnan()
            p, m = (values[known, column].double() for values in (predicted, measured))
            if line and len(p) >= LEAST and bool((p != p[0]).any()):
                found.slope[column] = min(max(_shrunk_slope(p, m), 0.0), 1.0)
                middle = m.mean() if centre is None else centre[column].double()
                found.intercept[column] = middle - found.slope[column] * p.mean()
            elif line and len(p) >= LEAST and centre is not None:  # one prediction for all
                found.intercept[column] = centre[column].double() - p[0]
            own = found.intercept[column] + found.slope[column] * p
            missed = (own - m).abs()
            if spread is not None:
                own_spread = spread[known, column].double() * found.slope[column]
                missed, found.per_spread[column] = _normalised(missed, own_spread)
            errors.append(missed.sort().values)
        return cls(found.slope, found.intercept, tuple(errors), found.per_spread)

    def apply(self, predicted: Tensor) -> Tensor:
        """Calibrated predictions `[…, P]`, float64, of those in the phenotypes' units."""
        return predicted.double() * self.slope + self.intercept

    def combine(self, members: Tensor) -> Predictions:
        """The mean of members' predictions `[K, …, P]` in units, calibrated, and their spread."""
        own = members.double()
        return Predictions(self.apply(own.mean(dim=0)), self.slope * spread_of(own))

    def to_checkpoint(self) -> dict[str, Any]:
        """The entry `calibration` of a checkpoint."""
        return {
            "slope": self.slope, "intercept": self.intercept, "errors": list(self.errors),
            "per_spread": self.per_spread,
        }  # fmt: skip

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> "Calibration":
        """As a checkpoint holds it."""
        own = state["calibration"]
        return cls(own["slope"], own["intercept"], tuple(own["errors"]), own["per_spread"])

    def half_widths(self, level: float, spread: Tensor | None = None) -> Tensor:
        """How far intervals reach to each side of calibrated predictions.

        The ⌈(n + 1) · level⌉-th smallest of n errors; infinite where n is too small for the level.

        Args:
            level: 0 < level < 1, such as 0.9.
            spread: `[…, P]` calibrated, of the members of an ensemble.

        Returns:
            `[…, P]` float64; without spread `[P]`, those of predictions that members agree in.
        """
        widths = torch.tensor([_quantile(own, level) for own in self.errors], dtype=torch.float64)
        return widths if spread is None else widths * (1 + self.per_spread * spread.double())


def spread_of(members: Tensor) -> Tensor:
    """Standard deviation `[…]` over the members `[K, …]` of an ensemble; 0 for one alone."""
    if len(members) < 2:
        return torch.zeros_like(members[0])
    return members.std(dim=0)


def reach_in_words(half_width: float, per_spread: float) -> str:
    """How far an interval reaches to each side of a prediction, as people read it."""
    return f"±{half_width:.4f}{f' × (1 + {per_spread:.4g} × spread)' if per_spread else ''}"


def _shrunk_slope(p: Tensor, m: Tensor) -> float:
    """Least-squares slope of m on p `[n]`, less the slope expected from noise alone.

    Times the positive part of 1 − 1/F, with F = (slope / its standard error)² (James and Stein
    1961): a slope that is no larger than its own error is 0, and one of a large part stays.
    """
    x, y = p - p.mean(), m - m.mean()
    slope = float((x * y).sum() / x.square().sum())
    left = float((y - slope * x).square().sum()) / (len(p) - 2)
    explained = slope**2 * float(x.square().sum())
    return slope * max(0.0, 1 - left / explained) if explained else 0.0


def _quantile(errors: Tensor, level: float) -> float:
    """Of sorted errors `[n]`, with the correction for a finite n."""
    rank = math.ceil((len(errors) + 1) * level - 1e-9)
    return float(errors[rank - 1]) if 0 < rank <= len(errors) else math.inf


def _normalised(missed: Tensor, spread: Tensor) -> tuple[Tensor, float]:
    """Errors `[n]` divided by `1 + c · spread`, and c: 1 / mean spread where that helps, or 0."""
    mean = float(spread.mean()) if len(spread) >= LEAST else 0.0
    if not mean:
        return missed, 0.0
    growth = 1 + spread / mean
    divided = missed / growth
    plain, own = (_quantile(errors.sort().values, LEVEL) for errors in (missed, divided))
    if own * float(growth.mean()) < GAIN * plain:
        return divided, 1 / mean
    return missed, 0.0
