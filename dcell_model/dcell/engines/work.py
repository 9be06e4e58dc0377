"""Which pass does the work of a batch, how much it is, and what of it is done ahead.

Threads are chosen by it, and records say it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from dcell_model.data import MutantStateBatch
from dcell_model.dcell.columns import columns_of
from dcell_model.dcell.engines import native_pass
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
    """

    engine_pass: str
    product: float
    ahead: Callable[[MutantStateBatch], None] | None = None


def work_plan(model: DCellParameters, batch: MutantStateBatch) -> WorkPlan:
    """How the model's engine runs such batches, where it is called: under autocast or not."""
    native = model.engine != "reference" and native_pass.suits(model)
    return WorkPlan(
        _pass_of(model),
        _product_size(model, batch),
        partial(native_pass.find_columns, model.layout) if native else None,
    )


def _pass_of(model: DCellParameters) -> str:
    if model.engine == "reference":
        return "term by term"
    if native_pass.suits(model) and (name := instruction_set()):
        return f"native, {name}"
    return "in torch"


def _product_size(model: DCellParameters, batch: MutantStateBatch) -> float:
    """Multiply-adds between subsystems that threads share before they wait for each other.

    Those of a matrix product, on average; in the native pass, whose threads wait at its end only,
    half of all.
    """
    ranks = Ranks.of(model.layout)
    if model.engine == "reference":  # a term at a time
        return float(ranks.set_area.mean()) * len(batch) if len(ranks.sets) else 0.0
    if native_pass.suits(model):
        hierarchy = NativeHierarchy.of(model.layout)
        columns = columns_of(
            model.layout, batch.deleted_sample, batch.deleted_gene, len(batch)
        ).starts.diff().numpy()  # fmt: skip
        return float((columns[hierarchy.edge_child] * hierarchy.edge_area).sum()) / 2
    at = touched_entries(
        model.layout, batch.term, batch.gene, batch.sample, batch.deleted_sample,
        batch.deleted_gene, len(batch),
    )  # fmt: skip
    entries = np.diff(at.starts.cpu().numpy())[ranks.edge_child]
    work = float((entries * ranks.set_area[ranks.edge_set]).sum())
    return work / max(1, len(ranks.sets))
