"""Where a run computes: the device, the precision, and one process or the many of `torchrun`."""

import logging
import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data_specs.errors import InputError
from data_specs.parameters import Train as TrainConfig
from dcell_model.dataset import MutantStateDataset
from dcell_model.predict import predict

if TYPE_CHECKING:
    from dcell_model.model_kinds import Network


def fabric_of(config: TrainConfig) -> Any:
    """Lightning Fabric on the device asked for; under `torchrun` on all of its processes.

    Raises:
        InputError: a CUDA device is asked for and there is none.
    """
    from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InputError("train.device=cuda: no CUDA device is visible; use auto or cpu")
    torchrun = torch.distributed.is_torchelastic_launched()
    with warnings.catch_warnings():
        # Advice on hardware that is not used, from libraries below.
        warnings.simplefilter("ignore")
        fabric = Fabric(
            accelerator=config.device,
            devices=int(os.environ["LOCAL_WORLD_SIZE"]) if torchrun else 1,
            num_nodes=int(os.environ["GROUP_WORLD_SIZE"]) if torchrun else 1,
            strategy="ddp" if torchrun else "auto",
            precision="bf16-mixed" if config.precision == "bf16" else "32-true",
        )
        fabric.launch()
        fabric.seed_everything(config.seed, verbose=False)
    return fabric


def sum_over_processes(fabric: Any, value: Tensor) -> float:
    """The sum of a number over all processes."""
    return float(fabric.all_reduce(value.clone(), reduce_op="sum"))  # it works in place


def predict_together(
    fabric: Any,
    model: "Network",
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
