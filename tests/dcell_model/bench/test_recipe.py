"""The search for a recipe: what is tried, what is kept, and one run through the product's loop."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from data_specs.layout import read_json
from dcell_model.bench import recipe


def test_all_combinations_of_the_axes() -> None:
    found = list(recipe.combinations(["train.lr=1e-2,2e-2", "train.decay=3"]))
    assert found == [("train.lr=1e-2", "train.decay=3"), ("train.lr=2e-2", "train.decay=3")]
    assert list(recipe.combinations([])) == [()]


def test_what_is_done_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def measured(_: str, arguments: Sequence[str], __: Mapping[str, str]) -> Any:
        _, settings, seed, split = json.loads(arguments[1])
        asked.append((*settings, seed))
        score = {"pearson": 0.5, "r2": 0.25}
        return {"settings": settings, "seed": seed, "split": split or "split", "val": score,
                "test": score, "best_epoch": 1, "epochs": 2, "seconds": 3.0}  # fmt: skip

    monkeypatch.setattr(recipe, "measured", measured)
    out = tmp_path / "recipe.json"
    recipe.run(tmp_path, out, [("a=1",)], seeds=[0], command=["first"])
    record = recipe.run(tmp_path, out, [("a=1",), ("a=2",)], seeds=[0, 1], command=["second"])
    assert sorted(asked) == [("a=1", 0), ("a=1", 1), ("a=2", 0), ("a=2", 1)]
    assert record["commands"] == ["first", "second"]
    assert read_json(out)["rows"] == record["rows"]


def test_a_run_is_scored_on_both_parts(tiny_build: Path) -> None:
    row = recipe.measure(
        tiny_build, ["train.epochs=2", "train.batch_size=16", "model.width_min=3"], 1, None
    )
    assert (row["seed"], row["split"], row["epochs"]) == (1, "split", 2)
    assert len(row["val_pearson"]) == 2
    assert row["val"].keys() == row["test"].keys() >= {"pearson", "r2", "mse"}
