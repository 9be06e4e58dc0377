"""The parameters that a trained model depends on, as its checkpoint keeps them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from data_specs.parameters import MODEL_SECTIONS, Parameters, under_present_names

# The sections that training reads. All others are parameters of builds.
TRAINING = (*MODEL_SECTIONS.values(), "train", "baselines", "evaluate")


def trained_sections(parameters: Parameters) -> dict[str, dict[str, Any]]:
    """The sections that a trained model depends on: its own if it has one, and `train`."""
    own = MODEL_SECTIONS.get(parameters.train.model)
    names = (own, "train") if own else ("train",)
    return {name: dataclasses.asdict(getattr(parameters, name)) for name in names}


def flat(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Values by `section.key`, under their present names, tuples as lists; the rest is omitted."""
    pairs = (
        (f"{name}.{key}", value)
        for name, section in under_present_names(sections, "the settings").items()
        if isinstance(section, Mapping)
        for key, value in section.items()
    )  # fmt: skip
    return {key: list(value) if isinstance(value, tuple) else value for key, value in pairs}
