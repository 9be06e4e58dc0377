"""The samples of baselines, genotypes as sets of genes, and the results of fits."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from data_specs.errors import InputError
from data_specs.layout import DataLayout
from data_specs.parameters import Parameters
from data_specs.tables import EXCLUDED, PARTS, TRAIN, VAL
from dcell_model.data import (
    MutantStateDataset,
    all_targets,
    read_parts,
    target_names,
    usable_samples,
)

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fit:
    """Predictions of a baseline, and the account of its fit.

    Attributes:
        predictions: `[N, P]`, for the samples of every part.
        parameters: numbers that were fitted.
        chosen: the setting chosen on the validation part, of how many (`trials`).
    """

    predictions: Floats
    parameters: int
    chosen: dict[str, Any]


def read_samples(
    layout: DataLayout, parameters: Parameters
) -> tuple[MutantStateDataset, npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """The store of a build, the targets `[N, P]` and the part `[N]` of every sample, as its number.

    Samples that a trained model omits, because a target is missing, are excluded.
    """
    dataset = MutantStateDataset(layout.store, phenotypes=target_names(layout, parameters.train))
    targets = all_targets(dataset)
    parts = np.full(len(dataset), EXCLUDED, dtype=np.uint8)
    for part, samples in usable_samples(targets, read_parts(layout)).items():
        parts[samples] = PARTS.index(part)
    return dataset, targets, parts


def multi_hot(dataset: MutantStateDataset) -> "csr_array":
    """The deleted genes of all samples: `[N, genes]` float32, 1 where the gene is deleted.

    A gene in a state s other than 0 has 1 − s.
    Columns are `dataset.gene_ids`: genes without annotation, which DCell cannot see, are there.
    """
    from scipy.sparse import csr_array

    blocks = [dataset.reader.block(block_index) for block_index in range(len(dataset.meta.blocks))]
    genes = np.concatenate([block.genes for block in blocks]).astype(np.int32)
    counts = np.concatenate([np.diff(block.gene_offsets) for block in blocks])
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    shape = (len(dataset), len(dataset.gene_ids))
    sizes = np.ones(len(genes), dtype=np.float32)
    if dataset.meta.graded:
        sizes -= np.concatenate([np.zeros(0) if b.states is None else b.states for b in blocks])
    return csr_array((sizes, genes, offsets), shape=shape)


def train_and_val(parts: npt.NDArray[np.uint8], targets: Floats, seed: int) -> tuple[Bools, Bools]:
    """Masks `[N]` of the samples to fit and of those to choose by.

    Without a validation part, a tenth of the training part takes its place.

    Raises:
        InputError: a phenotype that no sample of the training or validation part has.
    """
    train, val = parts == TRAIN, parts == VAL
    if not val.any():
        samples = np.random.default_rng(seed).permutation(np.flatnonzero(train))
        val[samples[: -(-len(samples) // 10)]] = True
        train &= ~val
    for part, inside in (("training", train), ("validation", val)):
        missing = np.isnan(targets[inside]).all(axis=0)
        if missing.any():
            raise InputError(
                f"phenotype {int(np.argmax(missing)) + 1} of {len(missing)} is not measured in "
                f"any of the {int(inside.sum())} samples of the {part} part; expected at least "
                "one. Choose other train.phenotypes, or make another split."
            )
    return train, val


def known_mean_and_spread(targets: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation `[P]` of the known among targets `[n, P]`; 1 for one of 0."""
    spread: Floats = np.nanstd(targets, axis=0)
    spread[spread == 0] = 1.0
    return np.nanmean(targets, axis=0), spread
