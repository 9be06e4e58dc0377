"""Only the columns of a batch, on a GPU: the equations of `engines.native_pass` in Triton.

The plan of a batch (`gpu.plan`) is made on the CPU, ahead of its pass where a loader does so, and
copied to the GPU. Then a stratum is two launches forward and three backward, and all launches of a
pass are recorded once and replayed.
"""

import importlib.util
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dcell_model.data import MutantStateBatch
from dcell_model.dcell.columns import found_columns
from dcell_model.dcell.engines.derivative import register_backward
from dcell_model.dcell.engines.processes import shares_statistics
from dcell_model.dcell.engines.touched import dynamic
from dcell_model.dcell.engines.weights import Weights, product_dtype, update_running_statistics
from dcell_model.dcell.gpu import Hierarchy, Planned, Recordings, Sizes
from dcell_model.dcell.heads import ColumnHeads
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.native import REAL, NativeHierarchy, load
from dcell_model.dcell.parameters import DCellParameters

# The tensors of a plan: those of `Planned.pack`, of `ColumnHeads`, and on the CPU the number of
# columns and the room of the padded plan.
PLAN = ("narrow", "wide", "term", "count", "sample", "column", "sizes")


def suits(model: DCellParameters, batch: MutantStateBatch) -> bool:
    """Whether the pass can run a batch: on a CUDA device, and in one layer a term.

    Layer norm, two layers a term, statistics over several processes and genes in states other than
    0 are for the pass in torch.
    """
    return (
        model.bias.is_cuda
        and batch.deleted_state is None
        and model.bias.dtype in REAL
        and model.config.layers == 1
        and model.config.norm != "layer"
        and not shares_statistics(model)
        and _is_there()
    )


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _is_there() -> bool:
    """Triton, and the native library, which finds columns."""
    return importlib.util.find_spec("triton") is not None and load() is not None


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _may_round() -> bool:
    """Whether torch's products of float32 may be tf32, by either of its ways to say so."""
    matmul = torch.backends.cuda.matmul
    given: str | None = getattr(matmul, "fp32_precision", None)  # since torch 2.9
    return bool(matmul.allow_tf32) if given is None else given == "tf32"


def forward(model: DCellParameters, batch: MutantStateBatch) -> ColumnHeads:
    """Predictions of all heads, as the wild type's and the differences from it."""
    return _run(model, batch)[0]


def forward_with_states(
    model: DCellParameters, batch: MutantStateBatch
) -> tuple[ColumnHeads, Tensor]:
    """The same, and `[C]` the root mean square of each column's differences."""
    heads, plan, outputs = _run(model, batch)
    D, own = outputs[6].detach(), Hierarchy.of(model.layout)
    device, terms = D.device, len(own.terms)
    columns = len(heads.count)
    rank = torch.as_tensor(np.argsort(own.terms), device=device)[heads.term.long()]
    width = torch.as_tensor(own.width, device=device)[rank]
    number = plan[1][:terms][rank]
    # A column's place in its term: its number less that of the term's first.
    starts = torch.searchsorted(rank, torch.arange(terms, device=device))
    first = number + (torch.arange(columns, device=device) - starts[rank]) * width
    sums = torch.cat([D.new_zeros(1, dtype=torch.float64), D.double().square().cumsum(0)])
    squares = (sums[first + width] - sums[first]).clamp(min=0)
    return heads, (squares / width).sqrt().to(D.dtype)


def planner(model: DCellParameters) -> Callable[[MutantStateBatch], None]:
    """What plans batches ahead of their passes, in any threads, and begins to copy the plans."""
    layout, device = model.layout, model.bias.device
    # Made here, not by the first of several threads.
    Hierarchy.of(layout), NativeHierarchy.of(layout), _Rooms.of(layout)

    def make_plan(batch: MutantStateBatch) -> None:
        pinned = device.type == "cuda"
        *tensors, sizes = plan_of(
            layout, batch.deleted_sample, batch.deleted_gene, len(batch), pinned=pinned
        )
        if pinned:
            with torch.cuda.device(device):  # a thread of its own would begin on the first one
                tensors = [tensor.to(device, non_blocking=True) for tensor in tensors]
        batch.plan = [*tensors, sizes]

    return make_plan


def plan_of(
    layout: SubsystemLayout,
    deleted_sample: Tensor,
    deleted_gene: Tensor,
    samples: int,
    *,
    pinned: bool = False,
) -> list[Tensor]:
    """The tensors of `PLAN`, on the CPU; arguments as of `columns_of` and `Planned.pack`."""
    given = deleted_sample.cpu(), deleted_gene.cpu()
    with found_columns(layout, *given, samples) as found:
        planned = Planned(layout, found, samples)
        room = _Rooms.of(layout).room_for(planned.sizes)
        tensors = planned.pack(room, pinned=pinned)
    return [*tensors, torch.tensor([len(tensors[3]), *room.to_list()])]


class _Rooms:
    """The shapes to which the plans of a hierarchy are padded: few, so that recordings are."""

    @classmethod
    def of(cls, layout: SubsystemLayout) -> "_Rooms":
        return layout.once(cls, cls)

    def __init__(self) -> None:
        self._rooms: list[Sizes] = []
        self._lock = threading.Lock()

    def room_for(self, sizes: Sizes) -> Sizes:
        """The smallest room in which a plan fits without being twice as large, or a new one."""
        with self._lock:
            near = [room for room in self._rooms if room.rows <= 2 * sizes.rows + 64]
            for room in near:
                if sizes.fits(room):
                    return room
            # A batch that fits in none of its like makes the one that it outgrew larger.
            new = sizes.padded()
            for room in near:
                if room.rows <= 1.25 * new.rows:
                    new = new.joined(room)
                    self._rooms.remove(room)
            self._rooms.append(new)
            self._rooms.sort(key=lambda room: room.rows)
            return new


def _run(
    model: DCellParameters, batch: MutantStateBatch
) -> tuple[ColumnHeads, list[Tensor], list[Tensor]]:
    """The heads, the plan, and all that the operator returns."""
    plan = batch.plan
    if plan is None:
        plan = plan_operator(
            batch.deleted_sample, batch.deleted_gene, len(batch), model.layout.handle
        )
    device = model.bias.device
    product = product_dtype(device) or model.bias.dtype
    tf32 = _may_round()
    known = model.wild_type_cache.get(model)
    with torch.autocast(device.type, enabled=False):  # the operator sees to its types
        outputs = forward_operator(
            Weights.of(model).to_list(), plan, known, model.layout.handle, model.training, product,
            tf32,
        )  # fmt: skip
    wild, difference, mean, var, first, *_ = outputs
    model.wild_type_cache.put(model, first)
    if model.training and model.config.norm == "batch":
        update_running_statistics(model, mean, var, len(batch))
    of_heads = dict(zip(PLAN, plan, strict=True))
    heads = ColumnHeads(
        wild_type=wild,
        difference=difference,
        term=of_heads["term"],
        count=of_heads["count"],
        sample=of_heads["sample"],
        column=of_heads["column"],
        samples=len(batch),
    )
    return heads, plan, outputs


@torch.library.custom_op("dcell::plan", mutates_args=())
def plan_operator(
    deleted_sample: Tensor, deleted_gene: Tensor, samples: int, handle: int
) -> list[Tensor]:
    """The tensors of `PLAN`, on the device of the arguments but for the sizes."""
    layout = SubsystemLayout.find(handle)
    *tensors, sizes = plan_of(layout, deleted_sample, deleted_gene, samples)
    return [*(tensor.to(deleted_sample.device) for tensor in tensors), sizes]


@plan_operator.register_fake
def _(deleted_sample: Tensor, deleted_gene: Tensor, samples: int, handle: int) -> list[Tensor]:
    int32 = deleted_sample.new_empty(0, dtype=torch.int32)
    term, entry = dynamic(deleted_sample), dynamic(int32)
    sizes = torch.empty(7 + 2 * SubsystemLayout.find(handle).graph.num_strata, dtype=torch.int64)
    return [
        dynamic(int32),
        dynamic(deleted_sample),
        term,
        torch.empty_like(term, dtype=torch.int32),
        entry,
        torch.empty_like(entry),
        sizes,
    ]


def _recorded(layout: SubsystemLayout, key: Any, work: Any, inputs: list[Tensor]) -> list[Tensor]:
    """By a recording on a CUDA device, else as it is."""
    if not inputs[0].is_cuda:
        return list(work(inputs))
    return layout.once(Recordings, Recordings).run(key, work, inputs)


@torch.library.custom_op("dcell::columns_pass", mutates_args=())
def forward_operator(
    weights: Sequence[Tensor],
    plan: Sequence[Tensor],
    known: Tensor,
    handle: int,
    training: bool,
    product: torch.dtype,
    tf32: bool,
) -> list[Tensor]:
    """Heads of the wild type `[T, P]` and differences `[C, P]`, and what backward needs.

    Between them stand mean and variance of the batch `[R]`, the wild type's pre-activations `[R]`,
    which are taken from `known` if that is not empty, and after them shift and variance of the
    differences `[2, R]` in double precision, and tables of outputs and of what came before them.
    """
    from dcell_model.dcell.gpu.launches import Launches, Options

    layout = SubsystemLayout.find(handle)
    columns, *numbers = plan[-1].tolist()
    room = Sizes.of(numbers)
    options = Options(training, known.numel() > 0, product, tf32)

    def work(inputs: list[Tensor]) -> list[Tensor]:
        *parameters, narrow, wide, given = inputs
        own = Weights(*parameters)
        own.mean, own.var = own.mean.clone(), own.var.clone()
        return Launches(layout, options, own, (narrow, wide), room).forward(given)

    inputs = [*(tensor.contiguous() for tensor in weights), *plan[:2], known]
    wild, difference, *rest = _recorded(layout, ("forward", options, room), work, inputs)
    return [wild, difference[:columns].clone(), *rest]


@torch.library.custom_op("dcell::columns_pass_backward", mutates_args=())
def backward_operator(
    grad_wild: Tensor,
    grad_difference: Tensor,
    weights: Sequence[Tensor],
    plan: Sequence[Tensor],
    saved: Sequence[Tensor],
    handle: int,
    training: bool,
    product: torch.dtype,
    tf32: bool,
) -> list[Tensor]:
    """Gradients of all weights, in their order."""
    from dcell_model.dcell.gpu.launches import Launches, Options

    layout = SubsystemLayout.find(handle)
    room = Sizes.of(plan[-1].tolist()[1:])
    options = Options(training, False, product, tf32)
    padded = grad_difference.new_zeros(room.rows, grad_difference.shape[1])
    padded[: len(grad_difference)] = grad_difference

    def work(inputs: list[Tensor]) -> list[Tensor]:
        wild, difference, *parameters, narrow, wide = inputs[:-4]
        passed = Launches(layout, options, Weights(*parameters), (narrow, wide), room)
        return passed.backward(wild, difference, tuple(inputs[-4:]))

    inputs = [grad_wild.contiguous(), padded, *(tensor.contiguous() for tensor in weights),
              *plan[:2], *saved]  # fmt: skip
    return _recorded(layout, ("backward", options, room), work, inputs)


@forward_operator.register_fake
def _(
    weights: Sequence[Tensor], plan: Sequence[Tensor], known: Tensor, handle: int, training: bool,
    product: torch.dtype, tf32: bool,
) -> list[Tensor]:  # fmt: skip
    layout, own = SubsystemLayout.find(handle), Weights(*weights)
    D = dynamic(own.bias)
    return [
        torch.empty_like(own.head_bias),
        own.head.new_empty(plan[2].shape[0], own.head.shape[1]),
        torch.empty_like(own.mean),
        torch.empty_like(own.var),
        own.bias.new_empty(layout.num_rows),
        own.bias.new_empty(2, layout.num_rows, dtype=torch.float64),
        D,
        torch.empty_like(D),
    ]


@backward_operator.register_fake
def _(
    grad_wild: Tensor, grad_difference: Tensor, weights: Sequence[Tensor], plan: Sequence[Tensor],
    saved: Sequence[Tensor], handle: int, training: bool, product: torch.dtype, tf32: bool,
) -> list[Tensor]:  # fmt: skip
    return Weights(*weights).empty_like().to_list()


register_backward(forward_operator, backward_operator)
