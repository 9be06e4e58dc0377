"""Which engine suits a batch: the rule behind `engine: auto`."""

from typing import TYPE_CHECKING

import numpy as np

from dcell_model.dataset import MutantStateBatch
from dcell_model.engines.touched import Ranks, touched_entries
from dcell_model.subsystems import SubsystemLayout

if TYPE_CHECKING:
    from dcell_model.model import DCell

LARGEST_SHARE = 0.7  # docs/performance.md shows the measurement behind it


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


def pick_engine(model: "DCell", batch: MutantStateBatch) -> tuple[str, str]:
    """`incremental` where deletions touch little of the cell, else `stratum`; and why."""
    share = touched_share(model.layout, batch)
    name = "incremental" if share <= LARGEST_SHARE else "stratum"
    sign = "≤" if name == "incremental" else ">"
    return name, f"deletions reach {share:.0%} of the multiply-adds, {sign} {LARGEST_SHARE:.0%}"
