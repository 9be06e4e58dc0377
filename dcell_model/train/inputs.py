"""The inputs of a training: build, store, targets and the samples of each part."""

from dataclasses import dataclass
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
from dcell_model.train.overfit import few_batches
from dcell_model.train.schedule import batch_size_of


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a training reads. N samples, P phenotypes.

    Attributes:
        layout: of the build, with the split.
        dataset: its store.
        targets: `[N, P]`.
        samples: sample numbers of each part; with `train.overfit` those of its few batches.
        batch_size: genotypes a step.
    """

    layout: DataLayout
    dataset: MutantStateDataset
    targets: npt.NDArray[np.float32]
    samples: dict[str, npt.NDArray[np.int64]]
    batch_size: int


def inputs_of(data: Path, parameters: Parameters, split: str | None) -> Inputs:
    """The inputs of a training, checked before any file of an earlier run is touched.

    Raises:
        InputError: a folder that is something else, no samples, or no data that the model needs.
        ParameterError: a model that there is not.
    """
    config = parameters.train
    record = record_of(config.model)
    require_kind(data, "build")
    layout = DataLayout(data, split)
    names = target_names(layout, config)
    dataset = MutantStateDataset(layout.store, phenotypes=names)
    if dataset.meta.graded and not record.grades:
        raise InputError(
            f"{data}: genes have states other than 0 and 1, and a {record.title} model knows "
            "deletions alone; train a DCell, or build without states (genotypes.states={} and no "
            "column 'states')"
        )
    targets = all_targets(dataset)
    samples = usable_samples(targets, read_parts(layout))
    if len(samples["train"]) < 2:
        raise InputError(f"{data}: {len(samples['train'])} training samples; expected at least 2")
    record.require(layout, parameters)
    batch_size = batch_size_of(config, len(samples["train"]))
    if config.overfit is not None:
        samples = few_batches(samples, config.overfit, batch_size, config.seed)
    return Inputs(layout, dataset, targets, samples, batch_size)
