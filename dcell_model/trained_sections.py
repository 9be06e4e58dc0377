"""The parameters that a trained model depends on: what its checkpoint keeps of them."""

import dataclasses
from typing import Any

from data_specs.parameters import Parameters


def trained_sections(parameters: Parameters) -> dict[str, dict[str, Any]]:
    """The sections that a trained model depends on: its own, and that of the training."""
    own = "dango" if parameters.train.model == "dango" else "model"
    names = (own, "train")
    return {name: dataclasses.asdict(getattr(parameters, name)) for name in names}
