"""Differences on the same split and seed."""

from typing import Any

import numpy as np
import pytest

from dcell_model.compare.paired import against_controls, difference


def runs(model: str, r2: dict[int, float | None], split: str = "random") -> list[dict[str, Any]]:
    return [
        {"split": split, "seed": seed, "model": model, "r2": value, "pearson": value}
        for seed, value in r2.items()
    ]


def test_the_mean_and_its_standard_error_are_those_of_the_pairs() -> None:
    # Both move with the split by far more than they differ.
    both = runs("dcell", {0: 0.10, 1: 0.50, 2: 0.90}) + runs("ridge", {2: 0.80, 0: 0.03, 1: 0.42})
    row = difference(both, "random", "dcell", "ridge")
    assert row["r2_difference"] == pytest.approx(np.mean([0.07, 0.08, 0.10]))
    expected = np.std([0.07, 0.08, 0.10], ddof=1) / np.sqrt(3)
    assert row["r2_difference_se"] == pytest.approx(expected)
    back = difference(both, "random", "ridge", "dcell")
    assert back["r2_difference"] == pytest.approx(-row["r2_difference"])
    assert back["r2_difference_se"] == pytest.approx(row["r2_difference_se"])


def test_one_seed_has_no_standard_error() -> None:
    both = runs("dcell", {0: 0.5}) + runs("ridge", {0: 0.25})
    row = difference(both, "random", "dcell", "ridge")
    assert row["pearson_difference"] == 0.25
    assert row["pearson_difference_se"] is None


def test_only_the_same_split_and_seed_are_compared() -> None:
    both = [
        *runs("dcell", {0: 0.5, 1: 0.9}),
        *runs("ridge", {0: 0.25}),
        *runs("ridge", {1: 0.0}, "gene"),
    ]
    assert difference(both, "random", "dcell", "ridge")["r2_difference"] == 0.25
    assert difference(both, "gene", "dcell", "ridge")["r2_difference"] is None


def test_a_score_that_is_not_defined_leaves_no_difference() -> None:
    both = runs("dcell", {0: 0.5, 1: 0.6}) + runs("ridge", {0: 0.25, 1: None})
    assert set(difference(both, "random", "dcell", "ridge").values()) == {None}


def test_dcell_against_each_control_that_was_trained() -> None:
    both = [
        *runs("dcell:terms", {0: 0.5, 1: 0.5}),
        *runs("dcell", {0: 0.6, 1: 0.8}),
        *runs("ridge", {0: 0.9, 1: 0.9}),
    ]
    (row,) = against_controls(both)
    assert (row["model"], row["control"], row["seeds"]) == ("dcell", "dcell:terms", 2)
    assert row["r2_difference"] == pytest.approx(0.2)
    assert list(against_controls(both[:2])) == []  # no DCell
    assert list(against_controls([])) == []
