"""Sets of genes side by side: ragged rows as a table with a mask."""

import torch
from torch import Tensor


def pad(sample: Tensor, value: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """Ragged rows side by side.

    Args:
        sample: `[D]` which row a value belongs to, in any order.
        value: `[D]` int64.
        samples: B.

    Returns:
        `[B, K]` values, 0 where there is none, and `[B, K]` whether there is one; K is the length
        of the longest row, at least 1.
    """
    counts = torch.bincount(sample, minlength=samples)
    order = torch.argsort(sample, stable=True)
    starts = counts.cumsum(0) - counts
    row = sample[order]
    column = torch.arange(len(row), device=row.device) - starts[row]
    longest = max(1, int(counts.max())) if samples else 1
    values = value.new_zeros(samples, longest)
    values[row, column] = value[order]
    present = torch.arange(longest, device=row.device) < counts.unsqueeze(1)
    return values, present
