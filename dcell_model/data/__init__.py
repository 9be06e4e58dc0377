"""Inputs of models: samples of a store, batches of them, targets and weights."""

from dcell_model.data.batches import EpochBatches, TrainingBatches
from dcell_model.data.dataset import (
    MutantState,
    MutantStateBatch,
    MutantStateDataset,
    encode,
    encode_genotypes,
    sizes_of,
)
from dcell_model.data.sample_weights import SampleWeights
from dcell_model.data.targets import (
    all_targets,
    read_parts,
    scaling,
    stored_phenotypes,
    target_names,
    usable_samples,
)

__all__ = [
    "EpochBatches",
    "MutantState",
    "MutantStateBatch",
    "MutantStateDataset",
    "SampleWeights",
    "TrainingBatches",
    "all_targets",
    "encode",
    "encode_genotypes",
    "read_parts",
    "scaling",
    "sizes_of",
    "stored_phenotypes",
    "target_names",
    "usable_samples",
]
