"""`train.overfit`: fit a few batches again and again, to see that the model can learn at all.

A network that cannot fit 256 genotypes by heart has a fault, or too small a learning rate, and more
data do not mend it.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_specs.errors import ParameterError
from data_specs.parameters import Train

PANELS = 6  # epochs whose predictions are kept: the first, the last, and some between

Samples = dict[str, npt.NDArray[np.int64]]


def refuse_overfit(config: Train, command: str) -> None:
    """Refuse `train.overfit` where models are to be judged on genotypes that they were not fit to.

    Raises:
        ParameterError: it is set.
    """
    if config.overfit is not None:
        raise ParameterError(
            f"train.overfit={config.overfit}: {command} judges models on other genotypes than "
            "they are fitted to; omit it, or call dcell train"
        )


def few_batches(
    samples: Mapping[str, npt.NDArray[np.int64]], batches: int, batch_size: int, seed: int
) -> Samples:
    """The parts of a run that fits a few batches: it is validated on what it is fitted to.

    Args:
        samples: sample numbers of every part.
        batches: how many of the training part to take, at random.
        batch_size: genotypes a batch.
        seed: of the choice.
    """
    train = samples["train"]
    few = np.sort(np.random.default_rng(seed).permutation(train)[: batches * batch_size])
    return {**samples, "train": few, "val": few}


def shown_epochs(epochs: int) -> list[int]:
    """Epochs, at most `PANELS` and closer at the beginning, whose predictions are kept."""
    return sorted({round(float(epoch)) for epoch in np.geomspace(1, epochs, PANELS)})


def keep_fit(
    path: Path,
    epoch: int,
    samples: npt.NDArray[np.int64],
    measured: npt.NDArray[np.float32],
    predicted: npt.NDArray[np.float64],
) -> None:
    """Put the predictions of an epoch into the table of a run, after those of earlier epochs.

    Args:
        path: the table; what it has of this epoch or of later ones is of a run that was stopped.
        epoch: from 1.
        samples: `[n]` sample numbers.
        measured: `[n]` values, in the phenotype's units.
        predicted: `[n]`, in the same units.
    """
    import polars as pl

    from data_specs.tables import write_table

    new = pl.DataFrame({"sample": samples, "measured": measured, "predicted": predicted}).select(
        pl.lit(epoch).alias("epoch"), pl.all()
    )
    if path.exists():
        before = pl.read_parquet(path, glob=False).filter(pl.col("epoch") < epoch)
        new = pl.concat([before.cast(new.schema), new])
    write_table(new, path)
