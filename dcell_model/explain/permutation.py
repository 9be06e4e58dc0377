"""P-values by permutation, and the false discovery rate of many of them."""

import numpy as np
import numpy.typing as npt

from dcell_model.predict import FloatArray, IntArray


def permutations(count: int, size: int, seed: tuple[int, ...]) -> IntArray:
    """`[count, size]` random orders of 0 … size − 1; the same seed gives the same."""
    every = np.broadcast_to(np.arange(size), (count, size))
    orders: IntArray = np.random.default_rng(seed).permuted(every, axis=1)
    return orders


def p_value(observed: float, permuted: FloatArray) -> float:
    """`(1 + #permuted ≥ observed) / (1 + N)` (Phipson and Smyth 2010), one-sided.

    Args:
        observed: the statistic.
        permuted: `[N]` the same of permuted data; values that differ by rounding alone are equal.
    """
    close = 1e-9 * max(abs(observed), float(np.abs(permuted).max(initial=0)))
    return (1 + int((permuted >= observed - close).sum())) / (1 + len(permuted))


def false_discovery_rate(p_values: npt.ArrayLike) -> FloatArray:
    """Adjusted p-values `[T]` of Benjamini and Hochberg (1995); NaN counts as no test."""
    from scipy.stats import false_discovery_control

    p = np.asarray(p_values, dtype=np.float64)
    known = ~np.isnan(p)
    adjusted = np.full(len(p), np.nan)
    if known.any():
        adjusted[known] = false_discovery_control(p[known], method="bh")
    return adjusted
