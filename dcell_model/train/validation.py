"""The score of an epoch: from the root's predictions of the validation part."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from dcell_model.checkpoint import Calibration
from dcell_model.data import MutantStateDataset
from dcell_model.models import Network
from dcell_model.predict import predict_together
from dcell_model.scores import scores

Row = dict[str, float | None]


def validate(
    fabric: Any,
    model: Network,
    dataset: MutantStateDataset,
    samples: Mapping[str, npt.NDArray[np.int64]],
    targets: Tensor,
    scale: tuple[Tensor, Tensor],
    *,
    calibrate: bool,
) -> tuple[Row, Calibration, Tensor]:
    """Scores of an epoch, and how its predictions are to be calibrated.

    Args:
        fabric: of all processes, each of which predicts a part.
        model: as it is after the epoch.
        dataset: the store.
        samples: sample numbers by part; n of the validation part.
        targets: `[N, P]` of all samples, none of them NaN in a part.
        scale: mean and standard deviation `[P]` of the targets.
        calibrate: whether predictions are drawn to a line.

    Returns:
        `val_loss`, the mean squared error of the root in trained units, and `val_pearson`, of the
        first phenotype, both before calibration, or nothing for an empty part; the calibration; and
        `[n, P]` float64 the predictions before it, in the phenotypes' units.
    """
    if len(samples["val"]) == 0:
        return {}, Calibration.none(len(scale[0])), targets[:0].double()
    predicted = predict_together(fabric, model, dataset, samples["val"], scale)
    measured, centre = targets[samples["val"]], targets[samples["train"]].double().mean(dim=0)
    error = ((predicted - measured.double()) / scale[1].double()).square().mean()
    row: Row = {
        "val_loss": float(error),
        "val_pearson": scores(predicted[:, 0], measured[:, 0])["pearson"],
    }
    return row, Calibration.fit(predicted, measured, line=calibrate, centre=centre), predicted
