"""A finished run on its build: the one way to read, check, restore and scale its model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_specs.chain import refuse_other_data
from data_specs.layout import DataLayout, read_json, require_kind
from dcell_model import checkpoint
from dcell_model.checkpoint import RECORD, Predictions
from dcell_model.data import MutantStateDataset
from dcell_model.models import Network, kind_of, restore
from dcell_model.predict.of_store import predict_calibrated


@dataclass(frozen=True, slots=True)
class Run:
    """The best epoch of a training, with the data that it was trained on.

    Attributes:
        path: of the checkpoint.
        state: what it holds (`dcell_model.checkpoint`).
        digest: hex SHA-256 of its content, as the file states it.
        kind: name of the model, such as dcell.
        members: its networks, in evaluation mode; an ensemble has several.
        layout: of the build, with the split asked for.
        dataset: of the build's store, with the phenotypes of the model.
    """

    path: Path
    state: checkpoint.Checkpoint
    digest: str
    kind: str
    members: tuple[Network, ...]
    layout: DataLayout
    dataset: MutantStateDataset

    @property
    def phenotypes(self) -> list[str]:
        """Names of the P phenotypes that it predicts."""
        return list(self.state["phenotypes"])

    def record(self) -> dict[str, Any]:
        """What `train.json` beside the checkpoint holds.

        Raises:
            ArtefactError: it is missing or damaged.
        """
        found: dict[str, Any] = read_json(self.path.parent / RECORD)
        return found

    def predict(self, samples: Sequence[int] | npt.NDArray[np.int64]) -> Predictions:
        """Calibrated predictions `[n, P]` in the phenotypes' units, in the order of `samples`.

        Args:
            samples: n sample numbers of the store.
        """
        return predict_calibrated(self.state, self.members, self.dataset, samples)


def open_run(folder: Path, data: Path, *, split: str | None = None) -> Run:
    """Open a run on the build that it was trained on.

    Args:
        folder: of the run, or its checkpoint.
        data: folder of the build.
        split: name of another split of the build (`DataLayout.splits`).

    Raises:
        InputError: no build, or one without the networks that the model reads.
        ArtefactError: no checkpoint, a damaged one, or one of other data.
    """
    require_kind(data, "build")
    path = checkpoint.locate(folder)
    state, digest = checkpoint.load_with_digest(path)
    layout = DataLayout(data, split)
    refuse_other_data(layout, state["made_from"], f"the checkpoint {path}")
    dataset = MutantStateDataset(layout.store, phenotypes=state["phenotypes"])
    members = restore(state, layout, dataset, path)
    return Run(path, state, digest, kind_of(state, path), members, layout, dataset)
