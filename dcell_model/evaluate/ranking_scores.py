"""How well predictions find hits, as screeners judge them: those with the lowest measurements.

A screen follows up what is at the top of a list. Average precision is the area under the curve of
precision over recall along the whole list, precision at k the share of hits among its first k.
A list in random order has, of both, the share of hits among all. Predictions that are equal stand
in no order: precision at k is then what it is on average over all orders.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dcell_model.scores import Values

Array = npt.NDArray[Any]
SHARE = 0.05  # of the measured samples, the lowest, that are hits whatever the phenotype
FIRST = (20, 50, 100)
FEW = 20  # hits below which the scores say little


@dataclass(frozen=True, slots=True)
class Hits:
    """Which samples are to be found.

    Attributes:
        rule: the definition of a hit, in words.
        samples: `[n]` numbers of the samples that are judged.
        hit: `[n]` whether each is one.
    """

    rule: str
    samples: npt.NDArray[np.int64]
    hit: npt.NDArray[np.bool_]

    @property
    def few(self) -> bool:
        """Whether there are so few that how they are ranked is mostly chance."""
        return int(self.hit.sum()) < FEW


def lowest(measured: Values) -> Hits:
    """The 5 % of the measured samples that are lowest, rounded up, with all that equal the last.

    Args:
        measured: `[N]`, NaN where not measured.
    """
    values = np.asarray(measured, dtype=np.float64)
    samples = np.flatnonzero(~np.isnan(values))
    values = values[samples]
    hit = np.zeros(len(values), dtype=bool)
    if len(values):
        hit = values <= np.sort(values)[math.ceil(len(values) * SHARE) - 1]
    return Hits(f"lowest {SHARE:.0%} measured", samples, hit)


def below(
    measured: Values, threshold: float, p_values: Values | None = None, p_below: float = 0.05
) -> Hits:
    """Samples measured below a threshold; if there are p-values, those that are significant too.

    Args:
        measured: `[N]`, NaN where not measured.
        threshold: in units of the phenotype.
        p_values: `[N]`, NaN where there is none: such a sample is not judged.
        p_below: the bound of a hit's p-value.
    """
    values = np.asarray(measured, dtype=np.float64)
    known, rule = ~np.isnan(values), f"measured below {threshold:g}"
    hit = values < threshold
    if p_values is not None:
        p = np.asarray(p_values, dtype=np.float64)
        known, hit, rule = known & ~np.isnan(p), hit & (p < p_below), f"{rule}, p below {p_below:g}"
    samples = np.flatnonzero(known)
    return Hits(rule, samples, hit[samples])


def ranking_scores(predicted: Values, hits: Hits) -> dict[str, float | None]:
    """Score predictions `[N]`, the lowest first in the list.

    Returns:
        `average_precision`, and `precision_at_20`, `…_50` and `…_100`. None where it is not
        defined: of fewer samples than k; where none or all are hits; and of predictions that are
        not all finite.
    """
    from sklearn.metrics import average_precision_score

    values = np.asarray(predicted, dtype=np.float64)[hits.samples]
    names = ["average_precision", *(f"precision_at_{k}" for k in FIRST)]
    if not np.isfinite(values).all() or hits.hit.all() or not hits.hit.any():
        return dict.fromkeys(names)
    average = float(average_precision_score(hits.hit, -values))
    first = [_precision_at(values, hits.hit, k) if k <= len(values) else None for k in FIRST]
    return dict(zip(names, [average, *first], strict=True))


def _precision_at(values: Array, hit: npt.NDArray[np.bool_], k: int) -> float:
    last = np.partition(values, k - 1)[k - 1]
    sure, tied = values < last, values == last
    # Of those that tie for the last places each is as likely to get one.
    return float((hit[sure].sum() + hit[tied].mean() * (k - sure.sum())) / k)


def hits_found(predictions: Mapping[str, Values], hits: Hits) -> dict[str, Any]:
    """The hits, and how well each model finds them.

    Args:
        predictions: `[N]` by the name of each model.
        hits: which samples of the N are to be found.

    Returns:
        `rule`, `samples`, `hits`, `few` (fewer than 20 hits), and `models`: their
        `ranking_scores` by name.
    """
    return {
        "rule": hits.rule,
        "samples": len(hits.samples),
        "hits": int(hits.hit.sum()),
        "few": hits.few,
        "models": {name: ranking_scores(scores, hits) for name, scores in predictions.items()},
    }
