"""P-values and false discovery rates."""

import numpy as np
import pytest

from dcell_model.explain.permutation import false_discovery_rate, p_value, permutations


def test_p_value_counts_the_observed_too() -> None:
    assert p_value(3.0, np.array([1.0, 2.0, 3.0, 4.0])) == 3 / 5
    assert p_value(5.0, np.array([1.0, 2.0, 3.0])) == 1 / 4
    assert p_value(0.3, np.array([0.1 + 0.2])) == 1  # equal but for rounding
    assert p_value(1.0, np.array([])) == 1


def test_p_values_of_noise_are_uniform() -> None:
    random = np.random.default_rng(0)
    found = [p_value(row[0], row[1:]) for row in random.normal(size=(2000, 100))]
    assert np.mean(np.array(found) <= 0.05) == pytest.approx(0.05, abs=0.015)


def test_false_discovery_rate() -> None:
    # The example of Benjamini and Hochberg 1995, section 3.2: four of fifteen at 0.05.
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
         0.5719, 0.6528, 0.7590, 1.0]  # fmt: skip
    adjusted = false_discovery_rate(p[::-1])[::-1]
    assert (adjusted <= 0.05).tolist() == [True] * 4 + [False] * 11
    np.testing.assert_allclose(adjusted[:4], [0.0015, 0.003, 0.0095, 0.035625])
    assert adjusted[-1] == 1
    assert (np.diff(adjusted) >= 0).all()


def test_what_was_not_tested_does_not_count() -> None:
    np.testing.assert_array_equal(
        false_discovery_rate([np.nan, 0.02, np.nan]), [np.nan, 0.02, np.nan]
    )
    assert len(false_discovery_rate([])) == 0


def test_permutations() -> None:
    orders = permutations(7, 5, (1, 2))
    assert (np.sort(orders, axis=1) == np.arange(5)).all()
    np.testing.assert_array_equal(orders, permutations(7, 5, (1, 2)))
    assert (orders != permutations(7, 5, (1, 3))).any()
    assert permutations(3, 0, (0,)).shape == (3, 0)
