"""What kernels share: sums of listed rows, and matrix products in a chosen type."""

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
def add_product(
    total, a_ptr, m, is_m, a_m, a_k, b_ptr, n, is_n, b_k, b_n, size,
    PRODUCT: tl.constexpr, PRECISION: tl.constexpr, STEP: tl.constexpr,
):  # fmt: skip
    """`total + a @ b`, `[m, n]`, over 0 ≤ k < size, with factors of type `PRODUCT`.

    `m` and `n` are int64 places, with whether there are such; `a[m, k]` lies at
    `m · a_m + k · a_k`, `b[k, n]` at `k · b_k + n · b_n`.
    """
    for first in range(0, size, STEP):
        k = first + tl.arange(0, STEP)
        is_k = k < size
        k = k.to(tl.int64)
        a = tl.load(a_ptr + m[:, None] * a_m + k[None, :] * a_k,
                    mask=is_m[:, None] & is_k[None, :], other=0.0)  # fmt: skip
        b = tl.load(b_ptr + k[:, None] * b_k + n[None, :] * b_n,
                    mask=is_k[:, None] & is_n[None, :], other=0.0)  # fmt: skip
        factors = tl.dot(a.to(PRODUCT), b.to(PRODUCT), input_precision=PRECISION)
        total += factors.to(total.dtype)
    return total
