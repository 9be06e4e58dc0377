"""Hits and how well they are found, against cases counted by hand."""

import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from dcell_model.evaluate.ranking_scores import Hits, below, hits_found, lowest, ranking_scores

NAMES = ["average_precision", "precision_at_20", "precision_at_50", "precision_at_100"]


def hits_at(places: list[int], samples: int) -> Hits:
    hit = np.zeros(samples, dtype=bool)
    hit[places] = True
    return Hits("by hand", np.arange(samples), hit)


def test_no_samples() -> None:
    assert len(lowest(np.zeros(0)).samples) == 0
    assert len(lowest(np.full(3, np.nan)).samples) == 0
    scored = ranking_scores(np.zeros(0), lowest(np.zeros(0)))
    assert scored == dict.fromkeys(NAMES)


def test_list_of_four_by_hand() -> None:
    """Hits first and third: precision 1 at the first, 2/3 at the second."""
    scored = ranking_scores(np.array([-4.0, -3.0, -2.0, -1.0]), hits_at([0, 2], 4))
    assert scored["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert [scored[name] for name in NAMES[1:]] == [None] * 3  # fewer than 20 samples


def test_lowest_prediction_comes_first() -> None:
    predicted = np.arange(200.0)
    good, bad = ranking_scores(predicted, hits_at([*range(10)], 200)), ranking_scores(
        -predicted, hits_at([*range(10)], 200)
    )  # fmt: skip
    assert [good[name] for name in NAMES] == [1, 10 / 20, 10 / 50, 10 / 100]
    assert bad["average_precision"] < 0.06
    assert bad["precision_at_100"] == 0


def test_fewer_than_a_hundred_samples() -> None:
    scored = ranking_scores(np.arange(60.0), hits_at([0, 1, 30], 60))
    assert scored["precision_at_20"] == 2 / 20
    assert scored["precision_at_50"] == 3 / 50
    assert scored["precision_at_100"] is None
    assert ranking_scores(np.arange(100.0), hits_at([5], 100))["precision_at_100"] == 1 / 100


def test_equal_predictions_have_the_precision_of_chance() -> None:
    hits = hits_at([0, 50, 199], 200)
    scored = ranking_scores(np.full(200, 0.3), hits)
    assert list(scored.values()) == pytest.approx([3 / 200] * 4)


def test_ties_at_the_last_place_are_shared() -> None:
    """Ten sure places, and forty samples, eight hits among them, for the ten that are left."""
    predicted = np.concatenate([np.zeros(10), np.ones(40), np.full(50, 2.0)])
    scored = ranking_scores(predicted, hits_at([*range(5), *range(10, 18)], 100))
    assert scored["precision_at_20"] == pytest.approx((5 + 10 * 8 / 40) / 20)
    assert scored["precision_at_50"] == pytest.approx(13 / 50)


def test_order_of_the_samples_does_not_matter() -> None:
    random = np.random.default_rng(0)
    predicted, hit = random.integers(0, 9, 150).astype(float), random.random(150) < 0.2
    order = random.permutation(150)
    one = ranking_scores(predicted, Hits("", np.arange(150), hit))
    other = ranking_scores(predicted[order], Hits("", np.arange(150), hit[order]))
    assert one == pytest.approx(other)
    assert one["average_precision"] == average_precision_score(hit, -predicted)


@pytest.mark.parametrize("places", [[], [0, 1, 2]])
def test_none_or_all_are_hits(places: list[int]) -> None:
    assert ranking_scores(np.arange(3.0), hits_at(places, 3)) == dict.fromkeys(NAMES)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_predictions_that_are_not_finite(value: float) -> None:
    predicted = np.arange(30.0)
    predicted[3] = value
    assert ranking_scores(predicted, hits_at([1], 30)) == dict.fromkeys(NAMES)


def test_lowest_are_a_twentieth_rounded_up_with_what_equals_the_last() -> None:
    measured = np.concatenate([[np.nan], np.arange(41.0)[::-1]])
    found = lowest(measured)
    assert len(found.samples) == 41
    assert measured[found.samples[found.hit]].tolist() == [2, 1, 0]  # 2.05, so 3
    assert found.few
    tied = lowest(np.array([1.0, 1.0, 1.0, *range(2, 19)]))
    assert tied.hit.sum() == 3
    assert lowest(np.arange(20.0)).hit.sum() == 1
    assert lowest(np.arange(100.0)).hit.sum() == 5  # not six by rounding errors
    assert not lowest(np.arange(400.0)).few


def test_below_a_threshold() -> None:
    measured = np.array([-0.5, -0.08, -0.2, np.nan, 0.3])
    found = below(measured, -0.08)
    assert found.samples.tolist() == [0, 1, 2, 4]
    assert found.samples[found.hit].tolist() == [0, 2]
    assert found.rule == "measured below -0.08"


def test_with_p_values_a_hit_is_significant_and_who_has_none_is_not_judged() -> None:
    measured = np.array([-0.5, -0.5, -0.5, 0.3, -0.5])
    found = below(measured, -0.08, np.array([0.01, 0.05, np.nan, 0.01, 0.049]), 0.05)
    assert found.samples.tolist() == [0, 1, 3, 4]
    assert found.hit.tolist() == [True, False, False, True]
    assert found.rule == "measured below -0.08, p below 0.05"


def test_account_of_several_models_is_json() -> None:
    measured = np.append(np.arange(500.0), np.nan)
    found = hits_found({"exact": measured.copy(), "mean": np.ones(501)}, lowest(measured))
    assert (found["samples"], found["hits"], found["few"]) == (500, 25, False)
    assert found["models"]["exact"]["average_precision"] == pytest.approx(1)
    assert found["models"]["exact"]["precision_at_20"] == 1
    assert found["models"]["mean"]["average_precision"] == pytest.approx(0.05)
    assert json.loads(json.dumps(found)) == found
