"""The numbers by which runs are compared."""

import json

import numpy as np
import pytest

from data_specs.tables import PARTS
from dcell_model.evaluate.headline import headline
from dcell_model.scores import r_squared, scores

HISTORY = [{"seconds": 1.25}, {"seconds": 2.5}]


def test_model_and_the_baseline_that_the_validation_part_prefers() -> None:
    rng = np.random.default_rng(0)
    measured = rng.normal(size=40)
    parts = np.repeat([PARTS.index("val"), PARTS.index("test")], 20).astype(np.uint8)
    noise = rng.normal(size=40)
    better_on_test = np.where(parts == PARTS.index("test"), measured, measured + 3 * noise)
    better_on_val = measured + noise
    found = headline(
        measured + 0.1 * noise, {"a": better_on_test, "b": better_on_val}, measured, parts,
        HISTORY, 2,
    )  # fmt: skip
    test = parts == PARTS.index("test")
    expected = scores((measured + 0.1 * noise)[test], measured[test])
    assert {key: found["test"][key] for key in expected} == pytest.approx(expected)
    assert found["test"]["r2"] == r_squared((measured + 0.1 * noise)[test], measured[test])
    assert found["best_baseline"]["name"] == "b"
    assert (found["epochs"], found["best_epoch"], found["seconds"]) == (2, 2, 3.8)
    assert json.loads(json.dumps(found)) == found


def test_without_held_out_samples_or_baselines() -> None:
    parts = np.zeros(3, dtype=np.uint8) + PARTS.index("train")
    found = headline(np.zeros(3), {"mean": np.zeros(3)}, np.ones(3), parts, HISTORY, 1)
    assert found == {"best_baseline": {}, "epochs": 2, "best_epoch": 1, "seconds": 3.8}
