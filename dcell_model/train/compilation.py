"""Compile the model of a run by `torch.compile`, where it is made of torch's layers.

DCell's engines are operators of their own: a step is a few calls of native code or kernels, which
torch cannot look into. Validation runs the model as it is, with the same parameters.
"""

import logging
from typing import Any

import torch

from data_specs.parameters import Train as TrainConfig
from dcell_model.models import Network, TrainedModel
from dcell_model.train.parameters import print_notes


def compiled(
    model: Network, record: TrainedModel, config: TrainConfig, *, leader: bool = True
) -> Any:
    """The model that the loop trains, compiled if `train.compile` asks for it.

    Compilation begins with the first step, and again with batches of another form.

    Args:
        model: of the run, on any device.
        record: of the model.
        config: with `compile`: none, or a mode of `torch.compile`.
        leader: whether this process prints.

    Returns:
        A module with the parameters of `model`; the model itself where nothing is compiled.
    """
    if config.compile is None:
        return model
    if not record.compiles:
        if leader:
            without_effect = f"train.compile={config.compile} has no effect on {record.title}"
            print_notes([f"{without_effect}, whose engines are compiled already"])
        return model
    logging.getLogger("torch._dynamo").setLevel(logging.ERROR)  # advice to those who write models
    return torch.compile(model, mode=config.compile)
