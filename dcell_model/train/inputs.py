"""The inputs of a training: build, store, targets and the samples of each part."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_specs.errors import InputError
from data_specs.layout import DataLayout, require_kind
from data_specs.parameters import Parameters
from dcell_model.data import (
    MutantStateDataset,
    all_targets,
    read_parts,
    target_names,
    usable_samples,
)
from dcell_model.models import record_of


def inputs_of(
    data: Path, parameters: Parameters, split: str | None
) -> tuple[
    DataLayout, MutantStateDataset, npt.NDArray[np.float32], dict[str, npt.NDArray[np.int64]]
]:
    """The inputs of a training, checked before any file of an earlier run is touched.

    Returns:
        The build, its store, targets `[N, P]`, and the sample numbers of each part.

    Raises:
        InputError: a folder that is something else, no samples, or no data that the model needs.
        ParameterError: a model that there is not.
    """
    record = record_of(parameters.train.model)
    require_kind(data, "build")
    layout = DataLayout(data, split)
    names = target_names(layout, parameters.train)
    dataset = MutantStateDataset(layout.store, phenotypes=names)
    targets = all_targets(dataset)
    samples = usable_samples(targets, read_parts(layout))
    if len(samples["train"]) < 2:
        raise InputError(f"{data}: {len(samples['train'])} training samples; expected at least 2")
    record.require(layout, parameters)
    return layout, dataset, targets, samples
