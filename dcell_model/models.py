"""The models that the training loop trains, by the name that `train.model` gives them.

The loop, checkpoints and evaluation know a model by little: called with a batch it gives heads
`[T, B, P]` of which the first is the prediction; DCell's loss is the loss of both, since one with a
single head has no auxiliary ones.
"""

from pathlib import Path
from typing import Any

import torch

from data_specs.chain import refuse_other_data
from data_specs.errors import ArtefactError
from data_specs.gene_networks import read_networks
from data_specs.layout import DataLayout
from data_specs.parameters import Dango as DangoConfig
from data_specs.parameters import Parameters
from dcell_model import checkpoint
from dcell_model.checkpoint import check_shapes, parameters_of
from dcell_model.dango import Dango, pretrain
from dcell_model.data import MutantStateDataset
from dcell_model.dcell import DCell

Network = DCell | Dango
KINDS = ("dcell", "dango")


def create(layout: DataLayout, dataset: MutantStateDataset, parameters: Parameters) -> Network:
    """The model to train, its weights drawn from torch's global generator.

    Raises:
        InputError: DANGO, and the build has no networks.
    """
    phenotypes = len(dataset.phenotypes)
    if parameters.train.model == "dango":
        return _dango(layout, dataset, parameters.dango, phenotypes)
    return DCell(
        dataset.graph, parameters.model, phenotypes=phenotypes, engine=parameters.train.engine
    )


def prepare(model: Network) -> dict[str, Any]:
    """What comes before the first epoch: DANGO's pre-training.

    Returns:
        The account of it; nothing for DCell.
    """
    return pretrain(model) if isinstance(model, Dango) else {}


def restore(
    state: checkpoint.Checkpoint, layout: DataLayout, dataset: MutantStateDataset, where: Path
) -> tuple[Network, ...]:
    """The members of a checkpoint, on the build's hierarchy or networks, in evaluation mode.

    Most checkpoints have one; an ensemble has several, whose mean is its prediction.

    Raises:
        ArtefactError: the checkpoint belongs to another hierarchy, or its tensors do not fit.
        InputError: DANGO, and the build has no such networks.
    """
    if kind_of(state, where) == "dcell":
        return checkpoint.restore(state, dataset.graph, where)
    dataset.graph.require(state["fingerprint"], f"the checkpoint {where}")
    refuse_other_data(layout, state["made_from"], f"the checkpoint {where}")
    config = parameters_of(state, where).dango
    phenotypes = len(state["phenotypes"])
    if config.depth > len(state["model"]):  # so many layers have no tensors there
        raise ArtefactError(
            f"{where}: dango.depth is {config.depth}, but there are {len(state['model'])} tensors"
        )
    with torch.device("meta"):  # shapes alone: what is not there needs no memory
        shapes = _shapes(_dango(layout, dataset, config, phenotypes))
    members = checkpoint.weights_of(state)
    for tensors in members:
        check_shapes(tensors, shapes, where)
    models = tuple(_dango(layout, dataset, config, phenotypes) for _ in members)
    for model, tensors in zip(models, members, strict=True):
        model.load_state_dict(tensors)
        model.eval()
    return models


def _shapes(model: Network) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in model.state_dict().items()}


def kind_of(state: checkpoint.Checkpoint, where: Path) -> str:
    """The name of a checkpoint's model."""
    return parameters_of(state, where).train.model


def _dango(
    layout: DataLayout, dataset: MutantStateDataset, config: DangoConfig, phenotypes: int
) -> Dango:
    networks = read_networks(layout, dataset.gene_ids, config.networks)
    return Dango(dataset.graph, networks, config, phenotypes=phenotypes)
