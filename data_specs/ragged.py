"""Ragged rows: rows of different lengths, one after the other in one flat array."""

from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

IntArray = npt.NDArray[np.int64]


@overload
def ragged_entries(starts: IntArray, ends: IntArray) -> tuple[IntArray, IntArray]: ...
@overload
def ragged_entries(starts: "Tensor", ends: "Tensor") -> "tuple[Tensor, Tensor]": ...
def ragged_entries(starts: Any, ends: Any) -> tuple[Any, Any]:
    """The entries of some rows, row after row.

    Args:
        starts: `[R]` int64, where each row begins in the flat array; an array, or a tensor on any
            device. Rows may be empty, overlap, and be named several times, in any order.
        ends: `[R]` int64, where each ends: one past its last entry.

    Returns:
        `[N]` int64 the number of the row, from 0 to R - 1, that each entry belongs to, and `[N]`
        int64 where the entry stands in the flat array; of the kind that was given.
    """
    lengths = ends - starts
    # What is added to an entry's number among all N to get its place.
    shifts = starts - (lengths.cumsum(0) - lengths)
    row: Any
    if isinstance(starts, np.ndarray):
        row = np.repeat(np.arange(len(starts)), lengths)
        return row, np.arange(len(row)) + np.repeat(shifts, lengths)
    import torch  # the pipeline has no use for it

    row = torch.arange(len(starts), device=starts.device).repeat_interleave(lengths)
    return row, torch.arange(len(row), device=starts.device) + shifts[row]
