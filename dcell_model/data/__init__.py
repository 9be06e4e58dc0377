"""Inputs of models: samples of a store, batches of them, targets and weights."""

from dcell_model.data.batches import EpochBatches, TrainingBatches
from dcell_model.data.dataset import MutantStateBatch, MutantStateDataset, encode, encode_genotypes
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
    "MutantStateBatch",
    "MutantStateDataset",
    "SampleWeights",
    "TrainingBatches",
    "all_targets",
    "encode",
    "encode_genotypes",
    "read_parts",
    "scaling",
    "stored_phenotypes",
    "target_names",
    "usable_samples",
]
