"""How well predictions agree with measurements: Pearson, Spearman, R² and mean squared error."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data_specs.tables import PARTS

Values = npt.NDArray[Any] | Tensor
# How they are called where people read them; the part that judges a model comes first.
PART_NAMES = {"test": "test", "val": "validation", "train": "training"}
SCORE_NAMES = {"pearson": "Pearson", "spearman": "Spearman", "r2": "R²", "mse": "MSE"}


def in_words(value: float | None, form: str = ".3f") -> str:
    """A score as people read it."""
    return "not defined" if value is None else f"{value:{form}}"


def scores(predicted: Values, measured: Values) -> dict[str, float | None]:
    """Score predictions `[N]` against measurements `[N]`, computed in float64.

    Samples that were not measured (NaN) are omitted. Undefined scores are None, which JSON has
    a word for and NaN has not: a correlation of a constant or of fewer than two samples, any
    score of no sample at all, and every score of predictions that are not all finite.

    Returns:
        `pearson`, `spearman` (Pearson of the ranks, ties sharing their mean rank), `r2` (see
        `r_squared`) and `mse` (in squared units of the phenotype).
    """
    from scipy.stats import rankdata
    from torchmetrics.functional import mean_squared_error, pearson_corrcoef

    p, m = _float64(predicted), _float64(measured)
    assert p.shape == m.shape, f"predicted {list(p.shape)}, measured {list(m.shape)}"
    p, m = p[~m.isnan()], m[~m.isnan()]
    if len(p) == 0 or not bool(p.isfinite().all()):
        return dict.fromkeys(SCORE_NAMES)
    errors = {"r2": r_squared(p, m), "mse": float(mean_squared_error(p, m))}
    if bool((p == p[0]).all() or (m == m[0]).all()):
        return {"pearson": None, "spearman": None, **errors}
    return {
        "pearson": float(pearson_corrcoef(p, m)),
        # torchmetrics' own Spearman ranks in float32 and sums ties in int32, which overflows.
        "spearman": float(
            pearson_corrcoef(*(torch.from_numpy(rankdata(side.cpu().numpy())) for side in (p, m)))
        ),
        **errors,
    }


def r_squared(predicted: Values, measured: Values) -> float | None:
    """Share of the variance of measurements `[N]` that predictions `[N]` explain.

    1 less squared error over squared deviation from the mean of these very measurements, so that a
    prediction worse than this mean is below 0. None where it is not defined, as in `scores`.
    """
    p, m = _float64(predicted), _float64(measured)
    p, m = p[~m.isnan()], m[~m.isnan()]
    if len(p) < 2 or bool((m == m[0]).all()) or not bool(p.isfinite().all()):
        return None
    return float(1 - (p - m).square().sum() / (m - m.mean()).square().sum())


def part_scores(
    predictions: Values, targets: Values, parts: npt.NDArray[np.uint8], names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Score every part of a split that has a sample.

    Args:
        predictions: `[N, P]`.
        targets: `[N, P]`, NaN where not measured.
        parts: `[N]` numbers in `data_specs.tables.PARTS`; excluded samples are never scored.
        names: the P phenotypes, the primary one first.

    Returns:
        `{"test": scores, "val": scores, "train": scores}` of the first phenotype; with more than
        one, each also has the scores of all by name under `phenotypes`.
    """
    assert predictions.shape == targets.shape == (len(parts), len(names))
    result: dict[str, dict[str, Any]] = {}
    for part in PART_NAMES:
        inside = np.flatnonzero(parts == PARTS.index(part))
        if len(inside) == 0:
            continue
        by_name = {
            name: scores(predictions[inside, column], targets[inside, column])
            for column, name in enumerate(names)
        }
        result[part] = dict(by_name[names[0]])
        if len(names) > 1:
            result[part]["phenotypes"] = by_name
    return result


def _float64(values: Values) -> Tensor:
    return torch.as_tensor(values).detach().to("cpu", torch.float64)
