"""Half precision on a CPU, which the product refuses: slow, but the same scaling of gradients."""

from typing import Any

import torch

from data_specs.parameters import Train


def half_precision_fabric(config: Train, init_scale: float = 2.0**16) -> Any:
    """What `fabric_of` gives on a GPU with `train.precision=fp16`, on the CPU."""
    from lightning_fabric import Fabric
    from lightning_fabric.plugins import MixedPrecision

    scaler = torch.amp.GradScaler("cpu", init_scale=init_scale)
    plugin = MixedPrecision("16-mixed", device="cpu", scaler=scaler)
    fabric = Fabric(accelerator="cpu", devices=1, plugins=[plugin])
    fabric.launch()
    fabric.seed_everything(config.seed, verbose=False)
    return fabric
