"""The samples of a store that take part in a run, and their targets."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from torch import Tensor

from data_specs import chain
from data_specs.errors import ArtefactError
from data_specs.layout import DataLayout
from data_specs.parameters import Train as TrainConfig
from data_specs.store import StoreReader
from data_specs.tables import PARTS
from dcell_model.data.dataset import MutantStateDataset


def target_names(layout: DataLayout, config: TrainConfig) -> list[str]:
    """The phenotypes to predict: those asked for, else the store's first."""
    if config.phenotypes:
        return list(config.phenotypes)
    return [StoreReader(layout.store).meta.phenotypes[0]]


def read_parts(layout: DataLayout) -> npt.NDArray[np.uint8]:
    """`[N]` the part of every sample, as its number in `data_specs.tables.PARTS`.

    Raises:
        ArtefactError: the split is missing, or holds something else.
    """
    chain.require(layout, "split")
    path = layout.split / "split.parquet"
    names = pa.array(PARTS)
    try:
        with pq.ParquetFile(path, read_dictionary=["part"]) as file:
            batches = file.iter_batches(columns=["part"])
            parts = [pc.index_in(batch["part"], names).cast(pa.uint8()) for batch in batches]
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ArtefactError(f"{path}: not readable ({error}); build the data again") from None
    if any(batch.null_count for batch in parts):
        raise ArtefactError(f"{path}: a part that is none of {PARTS}; build the data again")
    return np.concatenate([batch.to_numpy() for batch in parts])


def usable_samples(
    targets: npt.NDArray[np.float32], parts: npt.NDArray[np.uint8]
) -> dict[str, npt.NDArray[np.int64]]:
    """Sample numbers by part; those with a target that was not measured are omitted.

    Args:
        targets: `[N, P]`, NaN where not measured.
        parts: `[N]` as `read_parts` gives them.

    Raises:
        ArtefactError: the split is another store's.
    """
    if len(parts) != len(targets):
        raise ArtefactError(
            f"the split has {len(parts)} samples, the store {len(targets)}; build the data again"
        )
    known = ~np.isnan(targets).any(axis=1)
    return {part: np.flatnonzero((parts == n) & known) for n, part in enumerate(PARTS)}


def all_targets(dataset: MutantStateDataset) -> npt.NDArray[np.float32]:
    """`[N, P]` measured phenotypes of all samples, NaN where not measured."""
    return stored_phenotypes(dataset, dataset.phenotypes)


def stored_phenotypes(dataset: MutantStateDataset, names: Sequence[str]) -> npt.NDArray[np.float32]:
    """`[N, len(names)]` columns of the store for all samples, whatever the dataset gives."""
    blocks = (dataset.reader.block(block_index) for block_index in range(len(dataset.meta.blocks)))
    return np.concatenate([np.stack([b.phenotypes[n] for n in names], axis=1) for b in blocks])


def scaling(targets: Tensor, standardize: bool) -> tuple[Tensor, Tensor]:
    """The scale of a network's targets `[n, P]`: mean and sample standard deviation, `[P]`.

    0 and 1 if none is wanted; 1 for a deviation of 0. No target is NaN.
    """
    if not standardize:
        return torch.zeros(targets.shape[1]), torch.ones(targets.shape[1])
    std = targets.double().std(dim=0)
    return targets.double().mean(dim=0).float(), torch.where(std > 0, std, 1.0).float()
