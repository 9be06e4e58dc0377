"""What kernels share: sums of listed rows, and a matrix product in a chosen type."""

import triton
import triton.language as tl


@triton.jit
def sum_rows(
    values_ptr, index_ptr, start, end, stride, column, real,
    AT_ONCE: tl.constexpr,
):  # fmt: skip
    """`[n, w]`: for each i the sum of `values[index[l]]` over start[i] ≤ l < end[i].

    `start` and `end` are `[n]`; `column` and `real` are `[w]`, which columns and whether there are
    such; rows of `values` are `stride` numbers apart. `AT_ONCE` rows are fetched together.
    """
    total = tl.zeros((start.shape[0], column.shape[0]), dtype=values_ptr.dtype.element_ty)
    most = tl.max(end - start, axis=0)
    step = tl.arange(0, AT_ONCE)
    for first in range(0, most, AT_ONCE):
        place = start[:, None] + first + step[None, :]
        live = place < end[:, None]
        row = tl.load(index_ptr + place, mask=live, other=0).to(tl.int64)
        values = tl.load(
            values_ptr + row[:, :, None] * stride + column[None, None, :],
            mask=live[:, :, None] & real[None, None, :], other=0.0,
        )  # fmt: skip
        total += tl.sum(values, axis=1)
    return total


@triton.jit
def product(a, b, like, PRODUCT: tl.constexpr, PRECISION: tl.constexpr):
    """`a @ b` with factors of type `PRODUCT`, in the type of `like`."""
    return tl.dot(a.to(PRODUCT), b.to(PRODUCT), input_precision=PRECISION).to(like.dtype)
