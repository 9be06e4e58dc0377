"""Fit the baselines, each with the settings that do best on the validation part.

Their predictions are drawn to a line through the validation part just as a network's are
(`dcell_model.checkpoint.calibration`): no table compares a calibrated model with one that is not.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from data_specs.parameters import Baselines as BaselinesConfig
from data_specs.tables import VAL
from dcell_model.baselines.records import BASELINES
from dcell_model.baselines.samples import Bools, Floats, train_and_val
from dcell_model.checkpoint import Calibration

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, slots=True)
class Baseline:
    """One fitted model.

    Attributes:
        predictions: `[N, P]` float64, for the samples of every part.
        parameters: numbers that were fitted.
        seconds: the time of choosing, fitting and predicting.
        chosen: the setting chosen on the validation part, of how many (`trials`).
    """

    predictions: Floats
    parameters: int
    seconds: float
    chosen: dict[str, Any]


def fit_baselines(
    genotypes: "csr_array",
    targets: npt.NDArray[Any],
    parts: npt.NDArray[np.uint8],
    config: BaselinesConfig,
    names: Sequence[str] | None = None,
    *,
    calibrate: bool = True,
) -> dict[str, Baseline]:
    """Fit the baselines on the training part and predict all samples.

    Args:
        genotypes: `[N, genes]` multi-hot.
        targets: `[N, P]` or `[N]`, NaN where not measured: such samples are omitted.
        parts: `[N]` numbers in `data_specs.tables.PARTS`.
        config: how many settings are tried, sizes and lengths, the seed.
        names: which to fit, of `BASELINES`; by default all.
        calibrate: draw predictions to a line through the validation part, if there is one.

    Without a validation part, a tenth of the training part takes its place in all but the line.

    Raises:
        InputError: a phenotype that no sample of the training or validation part has.
    """
    targets = targets.reshape(len(parts), -1).astype(np.float64)
    train, val = train_and_val(parts, targets, config.seed)
    measured_val, mean = parts == VAL, np.nanmean(targets[train], axis=0)
    fitted = {}
    for name in BASELINES if names is None else names:
        began = time.perf_counter()
        fit = BASELINES[name].fit(genotypes, targets, train, val, config)
        if calibrate and measured_val.any():
            calibrated = _calibrated(fit.predictions, targets, measured_val, mean)
            fit = replace(fit, predictions=calibrated)
        seconds = round(time.perf_counter() - began, 2)
        fitted[name] = Baseline(fit.predictions, fit.parameters, seconds, fit.chosen)
    return fitted


def _calibrated(predictions: Floats, targets: Floats, val: Bools, mean: Floats) -> Floats:
    """Predictions `[N, P]` drawn to the mean, by the slope of those of the validation part."""
    predicted, measured = torch.from_numpy(predictions), torch.from_numpy(targets)
    inside = torch.from_numpy(val)
    line = Calibration.fit(predicted[inside], measured[inside], centre=torch.from_numpy(mean))
    calibrated: Floats = line.apply(predicted).numpy()
    return calibrated
