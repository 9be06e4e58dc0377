"""Predictions of a trained model for the samples of a store."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from dcell_model.data import MutantStateDataset
from dcell_model.dcell import root_of
from dcell_model.models import Network


@torch.no_grad()
def predict(
    model: Network,
    dataset: MutantStateDataset,
    samples: Sequence[int] | npt.NDArray[np.int64],
    scale: tuple[Tensor, Tensor],
    *,
    batch_size: int = 1024,
) -> npt.NDArray[np.float64]:
    """The root's predictions in the phenotypes' own units, in the order of `samples`.

    Args:
        model: put into evaluation mode for the time of the call.
        dataset: the store.
        samples: n sample numbers.
        scale: mean and standard deviation `[P]` of the targets that the model was trained on.
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
    predictions: npt.NDArray[np.float64] = (torch.cat([empty, *parts]) * std + mean).numpy()
    return predictions


def predict_together(
    fabric: Any,
    model: Network,
    dataset: MutantStateDataset,
    samples: npt.NDArray[np.int64],
    scale: tuple[Tensor, Tensor],
) -> Tensor:
    """`[n, P]` predictions as of `predict`, of which every process makes a part."""
    own = np.array_split(np.arange(len(samples)), fabric.world_size)[fabric.global_rank]
    predicted = torch.zeros(len(samples), len(scale[0]), dtype=torch.float64)
    predicted[own] = torch.from_numpy(predict(model, dataset, samples[own], scale))
    total: Tensor = fabric.all_reduce(predicted.to(fabric.device), reduce_op="sum")
    return total.cpu()


def predict_members(
    members: Sequence[Network],
    dataset: MutantStateDataset,
    samples: Sequence[int] | npt.NDArray[np.int64],
    scale: tuple[Tensor, Tensor],
) -> Tensor:
    """`[K, n, P]` predictions of each member as of `predict`, before calibration."""
    parts = [torch.from_numpy(predict(own, dataset, samples, scale)) for own in members]
    return torch.stack(parts)
