"""Scores against SciPy, and the cases in which they are not defined."""

import json
import math

import numpy as np
import pytest
import scipy.stats
import torch

from data_specs.tables import EXCLUDED, TEST, TRAIN
from dcell_model.scores import part_scores, r_squared, scores


def test_too_few_samples() -> None:
    undefined = {"pearson": None, "spearman": None, "r2": None, "mse": None}
    assert scores(np.empty(0), np.empty(0)) == undefined
    assert scores(np.array([1.0]), np.array([math.nan])) == undefined
    assert scores(np.array([1.0]), np.array([3.0])) == undefined | {"mse": 4.0}


@pytest.mark.parametrize("predicted", [[2.0, 2.0, 2.0], [1.0, 2.0, 3.0]])
def test_constant(predicted: list[float]) -> None:
    found = scores(np.array(predicted), np.full(3, 2.0))
    assert found["pearson"] is None
    assert found["spearman"] is None
    assert found["mse"] == pytest.approx(np.square(np.array(predicted) - 2).mean())
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_predictions_that_are_not_finite_score_nothing(value: float) -> None:
    found = scores(np.array([1.0, value, 3.0]), np.arange(3.0))
    assert set(found.values()) == {None}


@pytest.mark.parametrize("size", [2, 5, 123, 5000])
@pytest.mark.parametrize("decimals", [1, 12])
def test_like_scipy(size: int, decimals: int) -> None:
    random = np.random.default_rng(size)
    measured = random.normal(size=size).round(decimals)  # one decimal: many ties
    measured[0] += 1  # never constant
    predicted = (measured + random.normal(size=size)).round(decimals)
    found = scores(predicted, measured)
    assert found["pearson"] == pytest.approx(scipy.stats.pearsonr(predicted, measured)[0], rel=1e-9)
    spearman = scipy.stats.spearmanr(predicted, measured)[0]
    assert found["spearman"] == pytest.approx(spearman, rel=1e-9)
    assert found["mse"] == pytest.approx(np.square(predicted - measured).mean(), rel=1e-9)


def test_ties_of_a_large_screen() -> None:
    """The sum of 70,000 tied ranks does not fit into 32 bits."""
    measured = np.concatenate([np.zeros(70_000), np.ones(10)])
    assert scores(measured, measured)["spearman"] == pytest.approx(1.0)


def test_small_values_far_from_zero() -> None:
    measured = 1000 + 1e-6 * np.arange(50)
    assert scores(measured, measured)["pearson"] == pytest.approx(1.0)


def test_unmeasured_samples_are_left_out() -> None:
    predicted, measured = np.array([1.0, 9.0, 2.0, 4.0]), np.array([1.0, math.nan, 3.0, 5.0])
    known = ~np.isnan(measured)
    assert scores(predicted, measured) == scores(predicted[known], measured[known])


def test_tensors_and_single_precision() -> None:
    values = torch.arange(5, dtype=torch.float32)
    assert scores(values, values.numpy())["mse"] == 0


def test_parts() -> None:
    parts = np.array([TRAIN, TEST, EXCLUDED, TEST, TRAIN, TEST])
    targets = np.arange(12.0).reshape(6, 2)
    predictions = targets + np.array([[0, 0], [1, 0], [9, 9], [1, 0], [0, 0], [1, 0]])
    found = part_scores(predictions, targets, parts, ["a", "b"])
    assert list(found) == ["test", "train"]
    assert found["test"]["mse"] == 1
    assert found["test"]["phenotypes"]["b"]["mse"] == 0
    assert found["test"]["phenotypes"]["a"] == {
        key: found["test"][key] for key in ("pearson", "spearman", "r2", "mse")
    }
    single = part_scores(predictions[:, :1], targets[:, :1], parts, ["a"])
    assert set(single["test"]) == {"pearson", "spearman", "r2", "mse"}


def test_r_squared() -> None:
    measured = np.array([1.0, 2.0, 3.0, np.nan])
    assert r_squared(measured, measured) == 1.0
    assert r_squared(np.full(4, 2.0), measured) == 0.0
    assert r_squared(np.array([3.0, 2.0, 1.0, 0.0]), measured) == -3.0
    assert r_squared(measured[:1], measured[:1]) is None
    assert r_squared(np.array([1.0, np.inf, 0.0, 0.0]), measured) is None
    assert r_squared(np.ones(3), np.ones(3)) is None
