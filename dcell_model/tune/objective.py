"""The objective of a search: a score of the validation part, and of no other."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from data_specs.errors import InputError
from data_specs.layout import DataLayout
from data_specs.parameters import Parameters
from dcell_model.data import (
    MutantStateDataset,
    all_targets,
    read_parts,
    scaling,
    target_names,
    usable_samples,
)

Row = dict[str, Any]
NOTHING = 0.0  # the score of predictions that have none: constant ones are of no use


@dataclass(frozen=True, slots=True)
class Objective:
    """The score by which trials are compared: the one by which a run chooses its best epoch.

    Attributes:
        name: Pearson with `train.select: pearson`, else R², which the least loss makes highest.
        variance: of the validation targets, in the units of the loss, over the phenotypes' mean.
        samples: in the validation part.
    """

    name: str
    variance: float
    samples: int

    @classmethod
    def of(cls, layout: DataLayout, parameters: Parameters) -> "Objective":
        """The objective of all trials on a build.

        Raises:
            InputError: the build has no validation part to decide on.
        """
        config = parameters.train
        dataset = MutantStateDataset(layout.store, phenotypes=target_names(layout, config))
        targets = torch.from_numpy(all_targets(dataset))
        samples = usable_samples(targets.numpy(), read_parts(layout))
        if len(samples["val"]) < 2:
            raise InputError(
                f"{layout.root}: {len(samples['val'])} validation samples; a search needs at least "
                "2 to decide on; build with split.val above 0"
            )
        _, std = scaling(targets[samples["train"]], config.standardize)
        scaled = targets[samples["val"]].double() / std.double()
        variance = float(scaled.var(dim=0, correction=0).mean())
        if config.select != "pearson" and variance == 0:
            raise InputError(
                f"{layout.root}: all validation samples have the same value; nothing can be chosen"
            )
        name = "Pearson" if config.select == "pearson" else "R²"
        return cls(name, variance, len(samples["val"]))

    def score(self, row: Row) -> float:
        """Of an epoch, the higher the better."""
        if self.name == "Pearson":
            value = row["val_pearson"]
        else:
            loss = row["val_loss"]
            value = None if loss is None else 1 - loss / self.variance
        return NOTHING if value is None else float(value)

    def best(self, rows: Iterable[Row]) -> tuple[int, float] | None:
        """Number and score of the best epoch; none without an epoch."""
        scores = [(row["epoch"], self.score(row)) for row in rows]
        return max(scores, key=lambda pair: pair[1], default=None)
