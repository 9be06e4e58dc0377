"""Where a run computes: the device, the precision, and one process or the many of `torchrun`."""

import logging
import os
import warnings
from typing import Any

import torch
from torch import Tensor

from data_specs.errors import InputError
from data_specs.parameters import Train as TrainConfig


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
