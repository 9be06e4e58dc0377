"""What a validation part says about predictions: how wide they should be, and how far they miss.

A network that explains a small part of noisy measurements predicts too wide: its squared error may
be above the mean's while its ranking is right. A line with the slope of the validation part, held
between 0 (the training part's mean) and 1 (as predicted), mends that (Platt-style scaling for
regression, as in Kuleshov et al. 2018, arXiv:1807.00263, with a line in place of an isotonic
function).

What still misses gives intervals by split conformal prediction (Lei et al. 2018,
doi:10.1080/01621459.2017.1307116): for new genotypes drawn like those of the validation part, the
interval of level 1 − α covers the measurement with probability at least 1 − α, whatever the model
is. Genotypes of another kind, such as genes that were never seen deleted, have no such promise.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

LEVEL = 0.9  # of an interval, where nobody asks for another
LEAST = 10  # measured validation samples, below which a line would follow noise


@dataclass(frozen=True, slots=True)
class Calibration:
    """A line for each phenotype, and the errors that are left.

    Attributes:
        slope, intercept: `[P]` float64; a prediction y in the phenotype's units becomes
            `intercept + slope · y`.
        errors: for each phenotype, its absolute errors on the validation part, in its own units,
            sorted, float64; empty where there is no validation part.
    """

    slope: Tensor
    intercept: Tensor
    errors: tuple[Tensor, ...]

    @property
    def has_intervals(self) -> bool:
        """Whether a validation part says how far predictions miss."""
        return all(len(own) > 0 for own in self.errors)

    @classmethod
    def none(cls, phenotypes: int) -> "Calibration":
        """Predictions as they come, without intervals."""
        empty = torch.empty(0, dtype=torch.float64)
        zeros = torch.zeros(phenotypes, dtype=torch.float64)
        return cls(zeros + 1, zeros, (empty,) * phenotypes)

    @classmethod
    def fit(
        cls, predicted: Tensor, measured: Tensor, *, line: bool = True,
        centre: Tensor | None = None,
    ) -> "Calibration":  # fmt: skip
        """Least squares on a validation part.

        Args:
            predicted: `[n, P]`, in the phenotypes' units.
            measured: `[n, P]`, NaN where not measured.
            line: false keeps predictions as they come and takes their errors only.
            centre: `[P]` what the mean prediction becomes: the mean of the training part, which a
                prediction that says nothing is drawn to. That of a small validation part, or of
                one with genes of its own, is further from what comes. By default it is taken.
        """
        found = cls.none(predicted.shape[1])
        errors = []
        for column in range(predicted.shape[1]):
            known = ~measured[:, column].isnan()
            p, m = (values[known, column].double() for values in (predicted, measured))
            if line and len(p) >= LEAST and bool((p != p[0]).any()):
                centred = p - p.mean()
                slope = float((centred * m).sum() / centred.square().sum())
                found.slope[column] = min(max(slope, 0.0), 1.0)
                middle = m.mean() if centre is None else centre[column].double()
                found.intercept[column] = middle - found.slope[column] * p.mean()
            elif line and len(p) >= LEAST and centre is not None:  # one prediction for all
                found.intercept[column] = centre[column].double() - p[0]
            own = found.intercept[column] + found.slope[column] * p
            errors.append((own - m).abs().sort().values)
        return cls(found.slope, found.intercept, tuple(errors))

    def apply(self, predicted: Tensor) -> Tensor:
        """Calibrated predictions `[…, P]`, float64, of those in the phenotypes' units."""
        return predicted.double() * self.slope + self.intercept

    def to_checkpoint(self) -> dict[str, Any]:
        """The entry `calibration` of a checkpoint."""
        return {"slope": self.slope, "intercept": self.intercept, "errors": list(self.errors)}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> "Calibration":
        """As a checkpoint holds it."""
        own = state["calibration"]
        return cls(own["slope"], own["intercept"], tuple(own["errors"]))

    def half_widths(self, level: float) -> Tensor:
        """`[P]` how far an interval reaches to each side of a calibrated prediction.

        The ⌈(n + 1) · level⌉-th smallest of n errors; infinite where n is too small for the level.

        Args:
            level: 0 < level < 1, such as 0.9.
        """
        widths = []
        for errors in self.errors:
            rank = math.ceil((len(errors) + 1) * level - 1e-9)
            widths.append(float(errors[rank - 1]) if 0 < rank <= len(errors) else math.inf)
        return torch.tensor(widths, dtype=torch.float64)
