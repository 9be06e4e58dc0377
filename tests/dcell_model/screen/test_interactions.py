"""Interactions against the equations, written out for one genotype."""

import numpy as np
import pytest

from data_specs.errors import InputError
from dcell_model.screen.interactions import interactions, score_of

RANDOM = np.random.default_rng(0)
SINGLE, DOUBLE, TRIPLE = (RANDOM.random((5,) * order) for order in (1, 2, 3))
PAIRS = np.array([[0, 1], [1, 4]])
TRIPLES = np.array([[0, 1, 2], [0, 1, 4], [2, 3, 4]])


def doubles(pairs: np.ndarray) -> np.ndarray:
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert len(np.unique(pairs, axis=0)) == len(pairs)  # each is predicted once
    return DOUBLE[tuple(pairs.T)]


def found(score: str, genotypes: np.ndarray, wild_type: float) -> np.ndarray:
    predicted = (DOUBLE if genotypes.shape[1] == 2 else TRIPLE)[tuple(genotypes.T)]
    return interactions(score, genotypes, predicted, wild_type, SINGLE, doubles)


def test_kuzmin_2018_where_the_wild_type_is_1() -> None:
    f = SINGLE
    for (i, j), epsilon in zip(PAIRS, found("multiplicative", PAIRS, 1.0), strict=True):
        assert epsilon == pytest.approx(DOUBLE[i, j] - f[i] * f[j])

    def e(i: int, j: int) -> float:
        return float(DOUBLE[i, j] - f[i] * f[j])

    for (i, j, k), tau in zip(TRIPLES, found("multiplicative", TRIPLES, 1.0), strict=True):
        expected = TRIPLE[i, j, k] - f[i] * f[j] * f[k]
        expected -= e(i, j) * f[k] + e(i, k) * f[j] + e(j, k) * f[i]
        assert tau == pytest.approx(expected)


def test_fitness_is_relative_to_the_models_wild_type() -> None:
    half = found("multiplicative", PAIRS, 0.5)
    for (i, j), epsilon in zip(PAIRS, half, strict=True):
        assert epsilon == pytest.approx(DOUBLE[i, j] / 0.5 - SINGLE[i] * SINGLE[j] / 0.25)


def test_additive() -> None:
    w, y = 0.3, SINGLE
    for (i, j), own in zip(PAIRS, found("additive", PAIRS, w), strict=True):
        assert own == pytest.approx(DOUBLE[i, j] - y[i] - y[j] + w)
    for (i, j, k), own in zip(TRIPLES, found("additive", TRIPLES, w), strict=True):
        pairs = DOUBLE[i, j] + DOUBLE[i, k] + DOUBLE[j, k]
        assert own == pytest.approx(TRIPLE[i, j, k] - pairs + y[i] + y[j] + y[k] - w)


def test_a_prediction_of_interaction_is_left_alone() -> None:
    np.testing.assert_array_equal(found("prediction", PAIRS, 1.0), DOUBLE[tuple(PAIRS.T)])


def test_auto() -> None:
    assert score_of("fitness") == score_of("query_fitness") == "multiplicative"
    assert score_of("interaction") == score_of("epsilon") == score_of("Tau") == "prediction"
    with pytest.raises(InputError, match="--score additive"):
        score_of("size")
