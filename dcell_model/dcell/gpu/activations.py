"""Activations of a wild type and of differences from it, as functions of Triton's kernels.

As in `native/activations.h`: f(x + d) − f(x) and f'(x + d) − f'(x) without the loss of digits that
the subtraction of nearly equal numbers brings. `keep` is what the backward pass has of a row: the
change of y, or for GELU that of x.
"""

import triton
import triton.language as tl

TANH, RELU, GELU = 0, 1, 2
_TANH, _RELU = tl.constexpr(TANH), tl.constexpr(RELU)


@triton.jit
def tanh(x):
    """With a small relative error, near zero too."""
    u = x * x
    if x.dtype == tl.float64:
        # A continued fraction (Lambert 1761) where the exponential would cancel.
        small = 13.0 + u / (15.0 + u / (17.0 + u / (19.0 + u / 21.0)))
        small = 1.0 + u / (3.0 + u / (5.0 + u / (7.0 + u / (9.0 + u / (11.0 + u / small)))))
        e = tl.exp(-2.0 * tl.abs(x))
        large = (1.0 - e) / (1.0 + e)
        y = tl.where(tl.abs(x) < 1.0, x / small, tl.where(x < 0, -large, large))
    else:
        # The quotient of polynomials of `native/activations.h`, fitted on (0, 9].
        cut = tl.minimum(tl.maximum(x, -9.0), 9.0)
        u = cut * cut
        p = u * 1.3353379735292492e-08 + 2.0608160411939025e-05
        p = (p * u + 3.495533252134919e-03) * u + 1.3380980491638184e-01
        q = u * 7.776033612572064e-07 + 3.285543934907764e-04
        q = (q * u + 2.587677538394928e-02) * u + 4.671429693698883e-01
        y = cut * (p * u + 1.0) / (q * u + 1.0)
        y = tl.minimum(tl.maximum(y, -1.0), 1.0)
    return y


@triton.jit
def _below(x):
    """The share of a standard normal distribution below x."""
    return 0.5 * (1.0 + tl.erf(x * 0.7071067811865476))


@triton.jit
def value(x, ACT: tl.constexpr):
    """f(x)."""
    if ACT == _TANH:
        y = tanh(x)
    elif ACT == _RELU:
        y = tl.maximum(x, 0.0)
    else:
        y = x * _below(x)
    return y


@triton.jit
def change(x, y, d, ACT: tl.constexpr):
    """f(x + d) − f(x), where y is f(x)."""
    if ACT == _TANH:
        t = tanh(d)
        # Where x and d saturate with opposite signs that is 0 / 0; values are far apart there.
        far = y * t < -0.9
        near = t * ((1.0 - y) * (1.0 + y)) / tl.where(far, 1.0, 1.0 + y * t)
        D = tl.where(far, tanh(x + d) - y, near)
    elif ACT == _RELU:
        D = tl.where(x > 0, tl.maximum(d, -x), tl.maximum(x + d, 0.0))
    else:
        D = value(x + d, ACT) - y
    return D


@triton.jit
def slope(x, y, ACT: tl.constexpr):
    """f'(x)."""
    if ACT == _TANH:
        s = (1.0 - y) * (1.0 + y)
    elif ACT == _RELU:
        s = tl.where(y > 0, y * 0.0 + 1.0, y * 0.0)
    else:
        s = _below(x) + x * tl.exp(-0.5 * x * x) * 0.3989422804014327
    return s


@triton.jit
def slope_at(x, y, keep, ACT: tl.constexpr):
    """f'(x + d)."""
    if ACT == _TANH:
        s = (1.0 - (y + keep)) * (1.0 + (y + keep))
    elif ACT == _RELU:
        s = slope(y + keep, y + keep, ACT)
    else:
        s = slope(x + keep, y, ACT)
    return s


@triton.jit
def slope_change(x, y, keep, ACT: tl.constexpr):
    """f'(x + d) − f'(x)."""
    if ACT == _TANH:
        s = -keep * (2.0 * y + keep)
    elif ACT == _RELU:
        s = slope_at(x, y, keep, ACT) - slope(y, y, ACT)
    else:
        s = slope_at(x, y, keep, ACT) - slope(x, y, ACT)
    return s
