"""How much work a batch is, and which pass does it: what threads are chosen by, and records say."""

import numpy as np

from dcell_model.data import MutantStateBatch
from dcell_model.dcell.columns import columns_of
from dcell_model.dcell.engines import native_pass
from dcell_model.dcell.engines.touched import touched_entries
from dcell_model.dcell.native import NativeHierarchy, instruction_set
from dcell_model.dcell.parameters import DCellParameters
from dcell_model.dcell.ranks import Ranks


def pass_of(model: DCellParameters, batch: MutantStateBatch) -> str:
    """The pass that runs such batches, in words."""
    if model.engine == "reference":
        return "term by term"
    if native_pass.suits(model) and (name := instruction_set()):
        return f"native, {name}"
    return "in torch"


def product_size(model: DCellParameters, batch: MutantStateBatch) -> float:
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
