"""Predictions of a trained model for the samples of a store."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from dcell_model.calibration import Calibration
from dcell_model.dataset import MutantStateDataset
from dcell_model.heads import root_of

if TYPE_CHECKING:
    from dcell_model.model_kinds import Network


@torch.no_grad()
def predict(
    model: "Network",
    dataset: MutantStateDataset,
    samples: Sequence[int] | npt.NDArray[np.int64],
    scale: tuple[Tensor, Tensor],
    *,
    calibration: Calibration | None = None,
    batch_size: int = 1024,
) -> npt.NDArray[np.float64]:
    """The root's predictions in the phenotypes' own units, in the order of `samples`.

    Args:
        model: put into evaluation mode for the time of the call.
        dataset: the store.
        samples: n sample numbers.
        scale: mean and standard deviation `[P]` of the targets that the model was trained on.
        calibration: of the predictions; none leaves them as they come.
        batch_size: samples at a time; does not change the result.

    Returns:
        `[n, P]` float64.
    """
    training, device = model.training, next(model.parameters()).device
    model.eval()
    loader = DataLoader(Subset(dataset, np.asarray(samples).tolist()), batch_size=batch_size)
    heads = (model(batch.to(device), dense=False) for batch in loader)
    parts = [root_of(part).double().cpu() for part in heads]
    model.train(training)
    mean, std = (value.double().cpu() for value in scale)
    empty = torch.empty(0, len(mean), dtype=torch.float64)
    found = torch.cat([empty, *parts]) * std + mean
    predictions: npt.NDArray[np.float64] = (
        found if calibration is None else calibration.apply(found)
    ).numpy()
    return predictions
