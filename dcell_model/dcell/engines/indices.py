"""The index tensors of a layout on one device, and sums over segments."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from data_specs.cell_graph import IntArray
from dcell_model.dcell.layout import SubsystemLayout


@dataclass(frozen=True, slots=True)
class Indices:
    """What engines look up in a layout, int64 on one device.

    Attributes:
        term_of_row: `[R]`.
        child_rows: by group and bundle, `[n · fan_in]`.
        genes: by group, `[n + 1]` where each term's direct genes begin among the group's.
        term_of_gene: by group, the term of the group that each of its gene weight rows feeds.
    """

    term_of_row: Tensor
    child_rows: list[list[Tensor]]
    genes: list[Tensor]
    term_of_gene: list[Tensor]

    @classmethod
    def of(cls, layout: SubsystemLayout, device: torch.device) -> "Indices":
        """The indices of a layout, made once a device."""
        return layout.once((cls, device), lambda: cls._make(layout, device))

    @classmethod
    def _make(cls, layout: SubsystemLayout, device: torch.device) -> "Indices":
        def tensor(values: IntArray) -> Tensor:
            return torch.tensor(values).to(device)

        genes = [np.diff(group.genes) for group in layout.groups]
        return cls(
            term_of_row=tensor(layout.row_term),
            child_rows=[
                [tensor(bundle.child_rows.reshape(-1)) for bundle in group.bundles]
                for group in layout.groups
            ],
            genes=[tensor(group.genes) for group in layout.groups],
            term_of_gene=[tensor(np.repeat(np.arange(len(n)), n)) for n in genes],
        )


def segment_sum(values: Tensor, starts: Tensor) -> Tensor:
    """Sums of runs of rows.

    Args:
        values: `[N, w]`.
        starts: `[n + 1]` int64, where each of the n runs begins, and N.

    Returns:
        `[n, w]`; an empty run gives zeros. The order of summation is fixed.
    """
    if len(values) == 0:
        return values.new_zeros(len(starts) - 1, values.shape[1])
    every = torch.arange(len(values), device=values.device)
    return F.embedding_bag(every, values, starts, mode="sum", include_last_offset=True)
