"""Where a run computes: the device, the precision, and one process or the many of `torchrun`.

Half precision (fp16) has no numbers below 6e-8: small gradients would vanish. A scaler multiplies
the loss before the backward pass and divides the gradients after it; where they overflow, the step
is skipped and the scale halved. TF32 rounds the factors of products of fp32 to 10 bits of fraction.
"""

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
        InputError: a CUDA device is asked for, or needed for the precision, and there is none.
    """
    from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InputError("train.device=cuda: no CUDA device is visible; use auto or cpu")
    on_cpu = config.device == "cpu" or not torch.cuda.is_available()
    if config.precision == "tf32" and on_cpu:
        raise InputError(
            "train.precision=tf32: found no CUDA device to train on; CPUs have no such products. "
            "Use fp32, or train.device=cuda where there is one."
        )
    if config.precision == "fp16" and on_cpu:
        raise InputError(
            "train.precision=fp16: found no CUDA device to train on; CPUs have no fast products of "
            "half precision, and may overflow without telling. Use bf16 or fp32, or "
            "train.device=cuda where there is one."
        )
    if not on_cpu:  # a setting of the whole process: that of a training before must not stay
        rounded = "high" if config.precision == "tf32" else "highest"
        torch.set_float32_matmul_precision(rounded)
    torchrun = torch.distributed.is_torchelastic_launched()
    with warnings.catch_warnings():
        # Advice on hardware that is not used, from libraries below.
        warnings.simplefilter("ignore")
        fabric = Fabric(
            accelerator=config.device,
            devices=int(os.environ["LOCAL_WORLD_SIZE"]) if torchrun else 1,
            num_nodes=int(os.environ["GROUP_WORLD_SIZE"]) if torchrun else 1,
            strategy="ddp" if torchrun else "auto",
            precision=_PRECISION[config.precision],
        )
        fabric.launch()
        fabric.seed_everything(config.seed, verbose=False)
    return fabric


_PRECISION = {"fp32": "32-true", "tf32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def scaler_state(fabric: Any) -> dict[str, Any]:
    """The state of the scaler of gradients, plain values by name; empty where there is none."""
    state: dict[str, Any] = fabric.strategy.precision.state_dict()
    return state


def restore_scaler(fabric: Any, state: dict[str, Any]) -> None:
    """Go on with the scale that a stopped run had; an empty state leaves the one at the start."""
    if state:
        fabric.strategy.precision.load_state_dict(state)


def sums_over_processes(fabric: Any, values: Tensor) -> list[float]:
    """The sums of numbers `[n]` over all processes."""
    summed: list[float] = fabric.all_reduce(values.clone(), reduce_op="sum").tolist()  # in place
    return summed
