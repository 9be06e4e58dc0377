"""`train.overfit`: a few batches, fitted and judged on; no other genotype."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from data_specs.errors import ArtefactError, ParameterError
from data_specs.layout import read_json
from data_specs.parameters.sections import Parameters, resolve
from dcell_model import compare, train
from dcell_model.checkpoint import FIT
from dcell_model.cli import main
from dcell_model.predict import open_run
from dcell_model.train.overfit import few_batches, keep_fit, shown_epochs
from tests.stopped_training import StopError, stopping_after


def settings(**changes: Any) -> Parameters:
    given = {"epochs": 12, "batch_size": 6, "lr": 3e-2, "overfit": 1} | changes
    return resolve({"train": given, "model": {"width_min": 4}})


def test_the_parts_are_a_few_batches_of_the_training_part() -> None:
    parts = {"train": np.arange(0, 40, 2), "val": np.array([1, 3]), "test": np.array([5])}
    few = few_batches(parts, 2, 4, seed=3)
    assert len(few["train"]) == 8
    assert set(few["train"].tolist()) < set(parts["train"].tolist())
    assert np.array_equal(few["val"], few["train"])
    assert np.array_equal(few["test"], parts["test"])
    assert np.array_equal(few_batches(parts, 2, 4, seed=3)["train"], few["train"])
    assert not np.array_equal(few_batches(parts, 2, 4, seed=4)["train"], few["train"])
    assert len(few_batches(parts, 9, 4, seed=3)["train"]) == 20


@pytest.mark.parametrize(("epochs", "shown"), [(1, [1]), (2, [1, 2]), (30, [1, 2, 4, 8, 15, 30])])
def test_epochs_that_are_shown(epochs: int, shown: list[int]) -> None:
    assert shown_epochs(epochs) == shown


def test_a_stopped_run_replaces_the_epochs_that_it_trains_again(tmp_path: Path) -> None:
    samples, values = np.array([4, 7]), np.array([0.5, 1.0])
    path = tmp_path / "[a]*?" / FIT  # no pattern
    path.parent.mkdir()
    for epoch, add in ((1, 0.0), (2, 0.1), (4, 0.2), (2, 0.3)):
        keep_fit(path, epoch, samples, values.astype(np.float32), values + add)
    table = pl.read_parquet(path, glob=False)
    assert table["epoch"].to_list() == [1, 1, 2, 2]
    assert table["predicted"].to_list() == [0.5, 1.0, 0.8, 1.3]


@pytest.mark.parametrize("model", ["dcell", "multigraph"])
def test_it_fits_a_batch(
    simulated_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    out = tmp_path / "run"
    main([
        "train", "--data", str(simulated_build), "--out", str(out), "--model", model, "--set",
        "train.epochs=25", "train.batch_size=6", "train.lr=3e-2", "train.overfit=1",
        *([] if model == "multigraph" else ["model.width_min=4"]),
    ])  # fmt: skip
    printed = capsys.readouterr().out
    record, table = read_json(out / "train.json"), pl.read_parquet(out / FIT)
    assert record["samples"]["train"] == record["samples"]["val"] == 6
    assert record["history"][-1]["val_pearson"] > 0.95
    assert record["history"][-1]["train_loss"] < record["history"][0]["train_loss"]
    assert table["epoch"].unique().sort().to_list() == shown_epochs(25)
    last = table.filter(epoch=25)
    assert np.corrcoef(last["measured"], last["predicted"])[0, 1] == pytest.approx(
        record["history"][-1]["val_pearson"], abs=1e-6
    )
    assert "of the 6 genotypes that the model was fitted to" in printed
    assert "epoch    25: Pearson" in printed
    assert "The root's part of the training loss went from " in printed
    assert sorted(path.name for path in (out / "plots").iterdir()) == ["loss.png", "overfit.png"]
    assert not (out / "metrics.json").exists()
    with pytest.raises(ArtefactError, match=r"fitted to 1 batches alone \(train\.overfit\)"):
        open_run(out, simulated_build)


def test_it_resumes_as_if_never_stopped(tiny_build: Path, tmp_path: Path) -> None:
    train.run(tiny_build, tmp_path / "whole", settings())
    with stopping_after(7), pytest.raises(StopError):
        train.run(tiny_build, tmp_path / "parts", settings())
    train.run(tiny_build, tmp_path / "parts", settings(), resume=True)
    whole, parts = (pl.read_parquet(tmp_path / name / FIT) for name in ("whole", "parts"))
    assert whole.equals(parts)


def test_it_keeps_the_last_epoch_when_patience_ends_it(tiny_build: Path, tmp_path: Path) -> None:
    record = train.run(tiny_build, tmp_path / "run", settings(epochs=200, lr=1e-9, patience=3))
    assert record["epochs"] < 200
    assert pl.read_parquet(tmp_path / "run" / FIT)["epoch"].max() == record["epochs"]


def test_it_is_refused_where_models_are_judged(tiny_build: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"train\.overfit=1: an ensemble"):
        train.run(tiny_build, tmp_path / "run", settings(members=2))
    with pytest.raises(ParameterError, match=r"train\.overfit=1: dcell compare"):
        compare.run(
                tiny_build, tmp_path / "out", settings(), methods=["random"], seeds=[0],
                models=["dcell"],
            )  # fmt: skip
    with pytest.raises(SystemExit):
        main([
            "tune", "--data", str(tiny_build), "--out", str(tmp_path / "tuned"), "--trials", "1",
            "--set", "train.overfit=1",
        ])  # fmt: skip
    assert not list(tmp_path.glob("*/*"))
