"""Which engine suits a batch: the rule behind `engine: auto`."""

import numpy as np

from dcell_model.data import MutantStateBatch
from dcell_model.dcell.engines.touched import touched_entries
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.parameters import DCellParameters
from dcell_model.dcell.ranks import Ranks

# docs/performance.md has the measurements behind both numbers (CPU, fp32): what a multiply-add of
# the incremental engine costs in those of the stratum engine, and how many must be spared in each
# matrix product to make up for the indexing around it.
COST_OF_TOUCHED = 1.35
WORTHWHILE = 3e6


def touched_share(layout: SubsystemLayout, batch: MutantStateBatch) -> float:
    """The share of multiply-adds between subsystems that carry a difference from the wild type."""
    ranks = Ranks.of(layout)
    at = touched_entries(
        layout, batch.term, batch.gene, batch.sample, batch.deleted_sample, batch.deleted_gene,
        len(batch),
    )  # fmt: skip
    area = ranks.set_area[ranks.edge_set]
    entries = np.diff(at.starts.cpu().numpy())[ranks.edge_child]
    return float((entries * area).sum() / max(1, len(batch) * area.sum()))


def pick_engine(model: DCellParameters, batch: MutantStateBatch) -> tuple[str, str]:
    """`incremental` where deletions leave enough of the cell alone, else `stratum`; and why."""
    share = touched_share(model.layout, batch)
    spared = max(0.0, 1 - COST_OF_TOUCHED * share) * _whole_product(model.layout, batch)
    name = "incremental" if spared >= WORTHWHILE else "stratum"
    sign = "≥" if name == "incremental" else "<"
    return name, (
        f"batches of {len(batch):,} spare {spared / 1e6:.1f} million multiply-adds a product, "
        f"{sign} {WORTHWHILE / 1e6:.0f}; deletions reach {share:.0%} of all"
    )


def product_size(model: DCellParameters, batch: MutantStateBatch) -> float:
    """Multiply-adds of a matrix product between subsystems, on average, as the engine does them."""
    if model.engine == "reference":  # a term at a time
        areas = Ranks.of(model.layout).set_area
        return float(areas.mean()) * len(batch) if len(areas) else 0.0
    share = touched_share(model.layout, batch) if model.engine == "incremental" else 1.0
    return share * _whole_product(model.layout, batch)


def _whole_product(layout: SubsystemLayout, batch: MutantStateBatch) -> float:
    """Multiply-adds of a product of the engine `stratum`, on average."""
    ranks = Ranks.of(layout)
    work = float(ranks.set_area[ranks.edge_set].sum()) / max(1, len(ranks.sets))
    return work * len(batch)
