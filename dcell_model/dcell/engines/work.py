"""Which pass does the work of a batch, how much it is, and what of it is done ahead.

Threads are chosen by it, and records say it.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from dcell_model.data import MutantStateBatch
from dcell_model.dcell.columns import columns_of
from dcell_model.dcell.engines import attention_pass, columns_pass, native_pass
from dcell_model.dcell.engines.touched import touched_entries
from dcell_model.dcell.native import NativeHierarchy, instruction_set
from dcell_model.dcell.parameters import DCellParameters
from dcell_model.dcell.ranks import Ranks


@dataclass(frozen=True, slots=True)
class WorkPlan:
    """How batches like one are run.

    Attributes:
        engine_pass: the pass that runs them, in words.
        product: multiply-adds that threads share before they wait for each other.
        ahead: makes of a batch, in any thread and before its pass, what does not depend on the
            weights; None where there is nothing of the kind.
        threads: how many make it, of as many batches.
    """

    engine_pass: str
    product: float
    ahead: Callable[[MutantStateBatch], None] | None = None
    threads: int = 1


def work_plan(model: DCellParameters, batch: MutantStateBatch) -> WorkPlan:
    """How the model's engine runs such batches, where it is called: under autocast or not."""
    name = instruction_set() if model.bias.device.type == "cpu" else None
    ahead = partial(native_pass.find_columns, model.layout) if name else None
    if model.engine == "reference":
        return WorkPlan("term by term", _product_by_term(model, batch))
    if attention_pass.suits(model):
        return WorkPlan("in torch, with attention", _product_of_entries(model, batch), ahead)
    if native_pass.suits(model) and name:
        return WorkPlan(f"native, {name}", _product_of_columns(model, batch), ahead)
    if columns_pass.suits(model, batch):
        # The CPU multiplies nothing, and more threads that gather batches only hinder the planning.
        return WorkPlan("columns, Triton", 0.0, columns_pass.planner(model), _planning_threads())
    return WorkPlan("in torch", _product_of_entries(model, batch))


def _planning_threads() -> int:
    """A plan takes one core much longer than the pass takes a GPU; two cores are for the rest."""
    return max(1, min(16, len(os.sched_getaffinity(0)) - 2))


def _product_by_term(model: DCellParameters, batch: MutantStateBatch) -> float:
    """Of a term at a time, on average."""
    ranks = Ranks.of(model.layout)
    return float(ranks.set_area.mean()) * len(batch) if len(ranks.sets) else 0.0


def _product_of_columns(model: DCellParameters, batch: MutantStateBatch) -> float:
    """Half of all: threads of the native pass wait for each other at its end only."""
    hierarchy = NativeHierarchy.of(model.layout)
    columns = columns_of(
        model.layout, batch.deleted_sample.cpu(), batch.deleted_gene.cpu(), len(batch),
        None if batch.deleted_state is None else batch.deleted_state.cpu(),
    ).starts.diff().numpy()  # fmt: skip
    return float((columns[hierarchy.edge_child] * hierarchy.edge_area).sum()) / 2


def _product_of_entries(model: DCellParameters, batch: MutantStateBatch) -> float:
    """Of the edges of one stratum and width, on average."""
    ranks = Ranks.of(model.layout)
    at = touched_entries(
        model.layout, batch.term, batch.gene, batch.sample, batch.deleted_sample,
        batch.deleted_gene, len(batch),
    )  # fmt: skip
    entries = np.diff(at.starts.cpu().numpy())[ranks.edge_child]
    work = float((entries * ranks.set_area[ranks.edge_set]).sum())
    return work / max(1, len(ranks.sets))
