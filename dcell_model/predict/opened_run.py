"""The one way to a trained model: read its checkpoint, check it, restore and scale its networks."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch

from data_specs.chain import refuse_other_data
from data_specs.errors import ArtefactError, InputError
from data_specs.layout import DataLayout, read_json, require_kind
from dcell_model import checkpoint
from dcell_model.checkpoint import RECORD, Predictions
from dcell_model.data import MutantStateDataset
from dcell_model.models import record_of, restore
from dcell_model.predict.of_store import predict_members
from dcell_model.predict.trained import Trained, fields_of


@dataclass(frozen=True, kw_only=True)
class Run(Trained):
    """The best epoch of a training, with the data that it was trained on.

    Attributes:
        layout: of the build, with the split asked for.
        dataset: of the build's store, with the phenotypes of the model.
    """

    layout: DataLayout
    dataset: MutantStateDataset

    def record(self) -> dict[str, Any]:
        """The content of `train.json` beside the checkpoint.

        Raises:
            ArtefactError: it is missing or damaged.
        """
        assert self.path is not None
        found: dict[str, Any] = read_json(self.path.parent / RECORD)
        return found

    def predict_samples(self, samples: Sequence[int] | npt.NDArray[np.int64]) -> Predictions:
        """Calibrated predictions `[n, P]` in the phenotypes' units, in the order of `samples`.

        Args:
            samples: n sample numbers of the store.
        """
        scale = self.mean, self.std
        return self.calibration.combine(predict_members(self.members, self.dataset, samples, scale))


@overload
def open_run(folder: Path, *, device: str = ...) -> Trained: ...
@overload
def open_run(folder: Path, data: Path, *, split: str | None = ..., device: str = ...) -> Run: ...
def open_run(
    folder: Path, data: Path | None = None, *, split: str | None = None, device: str = "cpu"
) -> Trained:
    """Open a run by its checkpoint alone, or on the build that it was trained on.

    A checkpoint of a DCell is all that it takes to predict genotypes. On the build it also predicts
    samples, and every model can be opened.

    Args:
        folder: of the run, or its checkpoint.
        data: folder of the build.
        split: name of another split of the build (`DataLayout.splits`).
        device: `cpu` or `cuda`.

    Returns:
        The model; on a build a `Run`. Without a build DCells are run by the engine `incremental`,
        and on one as they were trained.

    Raises:
        InputError: no build, or one without the networks that the model reads; no CUDA device.
        ArtefactError: no checkpoint, a damaged one, one of other data, or without a build one of a
            model that needs it, or one that was fitted to a few batches alone.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: no CUDA device is visible; use cpu")
    if data is not None:
        require_kind(data, "build")
    path = checkpoint.locate(folder)
    state, digest = checkpoint.load_with_digest(path)
    _refuse_overfit(state, path)
    if data is None:
        alone = Trained(**fields_of(state, digest, restore(state, None, None, path), path))
        for model in alone.members:
            record_of(alone.kind).ready_for_genotypes(model.to(device))
        return alone
    layout = DataLayout(data, split)
    refuse_other_data(layout, state["made_from"], f"the checkpoint {path}")
    dataset = MutantStateDataset(layout.store, phenotypes=state["phenotypes"])
    members = restore(state, layout, dataset, path)
    for model in members:
        model.to(device)
    return Run(**fields_of(state, digest, members, path), layout=layout, dataset=dataset)


def _refuse_overfit(state: checkpoint.Checkpoint, path: Path) -> None:
    batches = json.loads(state["parameters"])["train"].get("overfit")
    if batches is not None:
        raise ArtefactError(
            f"{path}: the model was fitted to {batches} batches alone (train.overfit), to see "
            "that it can learn. Train one without it."
        )
