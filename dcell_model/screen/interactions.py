"""Interactions: the effect of a genotype beyond that of its parts, from predictions.

A model trained on an interaction score (epsilon, tau) already predicts an interaction: nothing is
to be subtracted (`prediction`). For any other phenotype it is the deviation of a genotype's
prediction y from that expected from its subsets'. For fitness effects multiply (Kuzmin et al. 2018,
doi:10.1126/science.aao1729), with f = y / y_wt, so that the model's own wild type has fitness 1:

    ε_ij  = f_ij − f_i f_j
    τ_ijk = f_ijk − f_i f_j f_k − ε_ij f_k − ε_ik f_j − ε_jk f_i          (`multiplicative`)

For a phenotype whose effects add up, with e = y − y_wt:

    ε_ij  = e_ij − e_i − e_j
    τ_ijk = e_ijk − e_i − e_j − e_k − ε_ij − ε_ik − ε_jk                  (`additive`)
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from data_specs.errors import InputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
SCORES = ("auto", "prediction", "multiplicative", "additive")
_SCORES_OF_INTERACTION = ("interaction", "epsilon", "tau")


def score_of(phenotype: str) -> str:
    """The score that is an interaction, for a phenotype's name.

    Raises:
        InputError: the name does not tell the kind of the phenotype.
    """
    words = phenotype.casefold().split("_")
    if "fitness" in words:
        return "multiplicative"
    if set(words) & set(_SCORES_OF_INTERACTION):
        return "prediction"
    raise InputError(
        f"phenotype '{phenotype}': whether it is an interaction cannot be told from its name. Say "
        "--score prediction if it is, --score multiplicative for fitness relative to the wild "
        "type, --score additive for what adds up."
    )


def interactions(
    score: str,
    genotypes: IntArray,
    predicted: FloatArray,
    wild_type: float,
    single: FloatArray,
    predict: Callable[[IntArray], FloatArray],
) -> FloatArray:
    """The interaction of every genotype.

    Args:
        score: one of `SCORES`, `auto` excepted.
        genotypes: `[B, k]` gene indices, sorted within a row; k is 2 or 3.
        predicted: `[B]` predictions of them.
        wild_type: prediction of the wild type.
        single: `[G]` predictions of single deletions, by gene index.
        predict: predictions `[n]` of pairs `[n, 2]`.

    Returns:
        `[B]` float64; for `multiplicative` in units of the wild type's fitness, else in the
        phenotype's.
    """
    if score == "prediction":
        return predicted
    null = _MULTIPLY if score == "multiplicative" else _ADD
    f, (i, j) = null.effect(single, wild_type), genotypes.T[:2]
    whole = null.effect(predicted, wild_type)
    if genotypes.shape[1] == 2:
        return whole - null.expected(f[i], f[j])
    # Each pair once, though many triples have it.
    pairs = np.concatenate([genotypes[:, own] for own in ([0, 1], [0, 2], [1, 2])])
    key, place = np.unique(pairs[:, 0] * len(single) + pairs[:, 1], return_inverse=True)
    unique = np.stack(np.divmod(key, len(single)), axis=1)
    epsilon = null.effect(predict(unique), wild_type) - null.expected(*f[unique.T])
    of_ij, of_ik, of_jk = epsilon[place].reshape(3, -1)
    k = genotypes[:, 2]
    expected = null.expected(null.expected(f[i], f[j]), f[k])
    for own, third in ((of_ij, k), (of_ik, j), (of_jk, i)):
        expected = expected + null.carried(own, f[third])
    deviation: FloatArray = whole - expected
    return deviation


class _Multiply:
    """Fitness: relative to the wild type, and effects multiply."""

    @staticmethod
    def effect(y: FloatArray, wild_type: float) -> FloatArray:
        return y / wild_type

    @staticmethod
    def expected(a: FloatArray, b: FloatArray) -> FloatArray:
        return a * b

    @staticmethod
    def carried(epsilon: FloatArray, third: FloatArray) -> FloatArray:
        return epsilon * third


class _Add:
    """Differences from the wild type that add up."""

    @staticmethod
    def effect(y: FloatArray, wild_type: float) -> FloatArray:
        return y - wild_type

    @staticmethod
    def expected(a: FloatArray, b: FloatArray) -> FloatArray:
        return a + b

    @staticmethod
    def carried(epsilon: FloatArray, third: FloatArray) -> FloatArray:  # noqa: ARG004
        return epsilon


_MULTIPLY, _ADD = _Multiply(), _Add()
