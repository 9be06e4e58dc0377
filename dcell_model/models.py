"""The models by name, a record each: all that training, evaluation, report and comparison know.

A new model is a package of its own and an entry of `MODELS`; if it has parameters, they are a
section of `data_specs.parameters` that says whose it is. What is fitted in one go has its records
in `dcell_model.baselines`, so that an edit of a baseline does not train networks again.

The loop calls a model with a batch and gets heads `[T, B, P]`, of which the first is the
prediction. DCell's loss is every model's unless its record has another: one with a single head has
no auxiliary ones.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from data_specs.cell_graph import CellGraph
from data_specs.chain import TRAINED_ON
from data_specs.errors import ArtefactError, ParameterError
from data_specs.gene_networks import read_networks, require_networks
from data_specs.layout import DataLayout
from data_specs.parameters import MODEL_SECTIONS, Parameters, unknown
from dcell_model import checkpoint
from dcell_model.checkpoint import parameters_of, trained_sections
from dcell_model.data import MutantStateBatch, MutantStateDataset
from dcell_model.dcell import DCell, LossParts, loss_parts, take_statistics
from dcell_model.dcell.engines import WorkPlan, work_plan
from dcell_model.graph_models import Dango, Multigraph, dango_loss, pretrain, require_dango


class Network(Protocol):
    """The interface of a model that the loop trains, which is a `torch.nn.Module`.

    Attributes:
        graph: the cell graph of the store that it is trained on.
        sync_batchnorm: set by the loop: whether statistics are taken over all processes.
    """

    graph: CellGraph
    sync_batchnorm: bool
    training: bool

    @property
    def engine(self) -> str:
        """How it is run, for the record."""
        ...

    def __call__(self, batch: MutantStateBatch, *, dense: bool = ...) -> Any:
        """Heads `[T, B, P]`, or with `dense=False` a form of them that `loss_parts` takes."""
        ...

    def num_parameters(self) -> int:
        """Trainable numbers."""
        ...

    def weight_penalty(self) -> Tensor:
        """`Σ‖W‖²`."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """As of a module; so below."""
        ...

    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...  # noqa: D102
    def to(self, device: Any) -> Any: ...  # noqa: D102
    def train(self, mode: bool = ...) -> Any: ...  # noqa: D102
    def eval(self) -> Any: ...  # noqa: D102


Restore = Callable[[checkpoint.Checkpoint, CellGraph | None, Path], tuple[Network, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """The record of a model for comparisons, trained or fitted.

    Attributes:
        made_from: artefacts of a build, names of `data_specs.chain.ORIGINS`.
        sections: the parameters that a result of it depends on, by section and key.
    """

    made_from: tuple[str, ...] = TRAINED_ON
    sections: Callable[[Parameters], Mapping[str, Mapping[str, Any]]] = trained_sections


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel(ModelRecord):
    """A model that the loop trains. Its section of the parameters is in `MODEL_SECTIONS`.

    Attributes:
        title: its name in tables and plots.
        create: the model for P phenotypes, its weights drawn from torch's global generator.
        require: refuses a build that lacks inputs of the model, before any work.
        loss: of heads, targets and the model, called as `loss_parts` is.
        prepare: work before the first epoch, with an account of it for the record.
        restore: a checkpoint's members from it alone, on a cell graph that is at hand or its own;
            None has them created on the build again.
        ready_for_genotypes: makes a restored network ready to predict genotypes of no store, a few
            at a time.
        refuse_size: refuses parameters that ask for more than a checkpoint's tensors can hold.
        plan: where there are several engines, how such batches are run: which pass, the work by
            which threads are chosen, and what is made of a batch ahead.
        take_statistics: puts a batch's statistics in place of those that evaluation uses.
        account: entries of a run's record for this model only.
        compiles: whether `torch.compile` has something to compile: layers of torch, not operators
            that are one call each.
        unread: keys of `train` that have no effect on it.
        search: the default search of `dcell tune`, values by parameter.
        has_subsystems: whether its terms have states, as a DCell's, to explain and to report.
        grades: whether it tells a gene that is deleted from one in another state.
    """

    title: str
    create: Callable[[DataLayout, MutantStateDataset, Parameters, int], Network]
    require: Callable[[DataLayout, Parameters], object] = lambda _layout, _parameters: None
    loss: Callable[..., LossParts] = loss_parts
    prepare: Callable[[Any], dict[str, Any]] = lambda _model: {}
    restore: Restore | None = None
    ready_for_genotypes: Callable[[Any], None] = lambda _model: None
    refuse_size: Callable[[Parameters, Mapping[str, Tensor], Path], None] = lambda *_: None
    plan: Callable[[Any, MutantStateBatch], WorkPlan] | None = None
    take_statistics: Callable[[Any, MutantStateBatch], None] | None = None
    account: Callable[[Any], dict[str, Any]] = lambda _model: {}
    compiles: bool = False
    unread: tuple[str, ...] = ()
    search: Mapping[str, str] = field(default_factory=dict)
    has_subsystems: bool = False
    grades: bool = False


def _create_dcell(
    _: DataLayout, dataset: MutantStateDataset, parameters: Parameters, phenotypes: int
) -> DCell:
    engine = parameters.train.engine
    return DCell(dataset.graph, parameters.model, phenotypes=phenotypes, engine=engine)


def _run_incrementally(model: DCell) -> None:
    model.engine = "incremental"  # the wild type is computed once, whatever the batch


def _create_dango(
    layout: DataLayout, dataset: MutantStateDataset, parameters: Parameters, phenotypes: int
) -> Dango:
    networks = read_networks(layout, dataset.gene_ids, parameters.dango.networks)
    return Dango(dataset.graph, networks, parameters.dango, phenotypes=phenotypes)


def _create_multigraph(
    layout: DataLayout, dataset: MutantStateDataset, parameters: Parameters, phenotypes: int
) -> Multigraph:
    networks = read_networks(layout, dataset.gene_ids, parameters.multigraph.networks)
    return Multigraph(dataset.graph, networks, parameters.multigraph, phenotypes=phenotypes)


def _refuse_deeper(parameters: Parameters, tensors: Mapping[str, Tensor], where: Path) -> None:
    section = MODEL_SECTIONS[parameters.train.model]
    own = getattr(parameters, section)
    for key in ("depth", "head_layers", "preprocess_layers"):
        layers = getattr(own, key, 0)
        if layers > len(tensors):  # so many layers have no tensors there
            raise ArtefactError(
                f"{where}: {section}.{key} is {layers}, but there are {len(tensors)} tensors"
            )


MODELS: dict[str, TrainedModel] = {
    "dcell": TrainedModel(
        title="DCell",
        create=_create_dcell,
        restore=checkpoint.restore,
        ready_for_genotypes=_run_incrementally,
        plan=work_plan,
        take_statistics=take_statistics,
        account=lambda model: {"norm_order": model.config.norm_order},
        search={
            "train.lr": "0.001:0.1:log",
            "train.decay": "0.5:10:log",
            "train.epochs": "15,30,60",
            "train.aux_weight": "0.01:1:log",
            "train.aux_reduction": "sum,mean",
            "model.norm_order": "act_norm,norm_act",
        },
        has_subsystems=True,
        grades=True,
    ),
    "dango": TrainedModel(
        title="DANGO",
        made_from=(*TRAINED_ON, "networks"),
        create=_create_dango,
        require=lambda layout, parameters: require_dango(layout, parameters.dango),
        loss=dango_loss,
        prepare=pretrain,
        refuse_size=_refuse_deeper,
        compiles=True,
        unread=("train.engine", "train.weight_decay"),  # it has `dango.weight_decay`
        search={
            "train.lr": "0.0003:0.03:log",
            "dango.weight_decay": "0.01:3:log",
            "train.epochs": "15,30,60",
        },
    ),
    "multigraph": TrainedModel(
        title="multigraph",
        made_from=(*TRAINED_ON, "networks"),
        create=_create_multigraph,
        require=lambda layout, parameters: require_networks(layout, parameters.multigraph.networks),
        refuse_size=_refuse_deeper,
        compiles=True,
        unread=("train.engine", "train.weight_decay"),  # it has `multigraph.weight_decay`
        search={
            "train.lr": "0.0003:0.03:log",
            "multigraph.weight_decay": "0.01:3:log",
            "multigraph.aggregation": "mean,attention,pairwise",
            "train.epochs": "15,30,60",
        },
    ),
}


def record_of(name: str, where: str = "parameters") -> TrainedModel:
    """The record of a model that the loop trains.

    Args:
        name: of `train.model`.
        where: the source of the name, for messages.

    Raises:
        ParameterError: there is no such model; names the nearest.
    """
    if name not in MODELS:
        raise ParameterError(unknown(name, MODELS, f"{where}: train.model"))
    return MODELS[name]


def title_of(name: str) -> str:
    """The name of a model in tables and plots; a baseline goes by its own."""
    return MODELS[name].title if name in MODELS else name


def kind_of(state: checkpoint.Checkpoint, where: Path) -> str:
    """The name of a checkpoint's model."""
    return parameters_of(state, where).train.model


def restore(
    state: checkpoint.Checkpoint,
    layout: DataLayout | None,
    dataset: MutantStateDataset | None,
    where: Path,
) -> tuple[Network, ...]:
    """The members of a checkpoint, on the data that the model needs, in evaluation mode.

    Most checkpoints have one; an ensemble has several, whose mean is its prediction. That they are
    the data that it was trained on has been asked before (`data_specs.chain.refuse_other_data`).

    Args:
        state: as `checkpoint.load` gives it.
        layout: of the build; None for the checkpoint alone.
        dataset: of the build; None for the checkpoint alone.
        where: the checkpoint's path, for messages.

    Raises:
        ArtefactError: the checkpoint belongs to another hierarchy, its tensors do not fit, or the
            model needs a build and there is none.
        InputError: the build lacks inputs of the model.
        ParameterError: a model that this version does not know.
    """
    record = record_of(kind_of(state, where), str(where))
    if record.restore is not None:
        return record.restore(state, None if dataset is None else dataset.graph, where)
    if layout is None or dataset is None:
        raise checkpoint.needs_build(state, where)
    dataset.graph.require(state["fingerprint"], f"the checkpoint {where}")
    parameters, phenotypes = parameters_of(state, where), len(state["phenotypes"])
    record.refuse_size(parameters, state["model"], where)
    with torch.device("meta"):  # shapes alone, without memory
        shapes = _shapes(record.create(layout, dataset, parameters, phenotypes))
    return checkpoint.members_of(
        state, shapes, lambda: record.create(layout, dataset, parameters, phenotypes), where
    )


def _shapes(model: Network) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in model.state_dict().items()}
