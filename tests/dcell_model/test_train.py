"""Training: it learns, it resumes exactly, it refuses what does not fit."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from data_specs.errors import InputError
from data_specs.parameters import Parameters, resolve
from dcell_model import checkpoint, cli, train
from tests.conftest import CHECKOUT


def settings(**changes: Any) -> Parameters:
    given = {"epochs": 3, "batch_size": 16, "patience": None, "lr": 1e-2} | changes
    return resolve({"train": given, "model": {"width_min": 4}})


def weights(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = checkpoint.load(run / "last.pt")["model"]
    return state


def assert_same(a: Path, b: Path) -> None:
    for name, value in weights(a).items():
        assert torch.equal(weights(b)[name], value), name


def test_it_learns(tiny_build: Path, tmp_path: Path) -> None:
    record = train.run(tiny_build, tmp_path / "run", settings(epochs=20))
    losses = [row["train_loss"] for row in record["history"]]
    assert losses[-1] < losses[0]
    assert record["epochs"] == 20
    assert 1 <= record["best_epoch"] <= 20
    assert (tmp_path / "run" / "live" / "plots" / "metrics" / "train_loss.tsv").is_file()


def test_same_seed_same_weights_other_seed_others(tiny_build: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train.run(tiny_build, tmp_path / name, settings(seed=seed))
    assert_same(tmp_path / "a", tmp_path / "b")
    with pytest.raises(AssertionError):
        assert_same(tmp_path / "a", tmp_path / "c")


@pytest.mark.parametrize("stopped", [1, 4])
def test_resume_continues_as_if_never_stopped(
    tiny_build: Path, tmp_path: Path, stopped: int
) -> None:
    train.run(tiny_build, tmp_path / "whole", settings(epochs=5))
    train.run(tiny_build, tmp_path / "parts", settings(epochs=stopped))
    record = train.run(tiny_build, tmp_path / "parts", settings(epochs=5), resume=True)
    assert_same(tmp_path / "whole", tmp_path / "parts")
    whole = json.loads((tmp_path / "whole" / "train.json").read_text())
    for key in ("epoch", "train_loss", "val_loss", "val_pearson"):
        assert [row[key] for row in record["history"]] == [r[key] for r in whole["history"]]
    assert record["best_epoch"] == whole["best_epoch"]


def test_resume_with_other_parameters(tiny_build: Path, tmp_path: Path) -> None:
    train.run(tiny_build, tmp_path / "run", settings())
    with pytest.raises(InputError, match=r"trained with train\.lr=0\.01, now it is 0\.1"):
        train.run(tiny_build, tmp_path / "run", settings(lr=0.1), resume=True)


def test_nothing_to_resume(tiny_build: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no last\.pt to resume from"):
        train.run(tiny_build, tmp_path / "run", settings(), resume=True)


def test_folder_that_is_something_else(tiny_build: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("thesis")
    with pytest.raises(InputError, match="not an earlier run"):
        train.run(tiny_build, tmp_path, settings())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_accumulation_is_the_mean_of_its_parts(tiny_build: Path, tmp_path: Path) -> None:
    """Without batch statistics, two halves accumulated are one whole batch."""
    model = {"norm": "layer", "width_min": 4}
    for name, size, parts in (("whole", 36, 1), ("halves", 18, 2)):
        given = {"epochs": 2, "batch_size": size, "accumulate": parts, "patience": None}
        train.run(tiny_build, tmp_path / name, resolve({"train": given, "model": model}))
    for name, value in weights(tmp_path / "whole").items():
        torch.testing.assert_close(weights(tmp_path / "halves")[name], value, rtol=1e-3, atol=1e-5)


def test_patience_stops(tiny_build: Path, tmp_path: Path) -> None:
    record = train.run(tiny_build, tmp_path / "run", settings(epochs=60, patience=2))
    assert record["epochs"] < 60
    assert record["epochs"] - record["best_epoch"] == 2


def test_best_checkpoint_is_that_of_the_best_epoch(tiny_build: Path, tmp_path: Path) -> None:
    record = train.run(tiny_build, tmp_path / "run", settings(epochs=8, select="loss"))
    best = min(record["history"], key=lambda row: row["val_loss"])
    assert record["best_epoch"] == best["epoch"]
    assert checkpoint.load(tmp_path / "run" / "checkpoint.pt")["epoch"] == best["epoch"]


def test_bf16(tiny_build: Path, tmp_path: Path) -> None:
    record = train.run(tiny_build, tmp_path / "run", settings(precision="bf16", epochs=10))
    assert record["history"][-1]["train_loss"] < record["history"][0]["train_loss"]
    assert {value.dtype for value in weights(tmp_path / "run").values()} == {torch.float32}


def test_several_phenotypes(tiny_build: Path, tmp_path: Path) -> None:
    names = ["fitness", "count"]
    record = train.run(tiny_build, tmp_path / "run", settings(phenotypes=names))
    assert record["phenotypes"] == names


def test_a_last_batch_of_one_sample_is_left_out(tiny_build: Path, tmp_path: Path) -> None:
    assert train.run(tiny_build, tmp_path / "run", settings(batch_size=35))["epochs"] == 3


def test_cuda_that_is_not_there(tiny_build: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(InputError, match="no CUDA device"):
        train.run(tiny_build, tmp_path / "run", settings(device="cuda"))


def test_the_command_ends_with_a_table(
    tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    cli.main(["train", "--data", str(tiny_build), "--out", str(out), "--device", "cpu",
              "--set", "train.epochs=2", "train.batch_size=16", "baselines.mlp_epochs=2"])  # fmt: skip
    printed = capsys.readouterr().out
    for word in ("DCell", "ridge", "mlp", "Pearson", "parameters", str(out / "plots")[:20]):
        assert word in printed.replace("\n", "")
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["test"].keys() == {"pearson", "spearman", "mse"}
    assert metrics["baselines"].keys() == {"mean", "ridge", "mlp"}
    assert metrics["samples"]["train"] == 37 - 0 * metrics["epochs"]
    assert metrics["parameters"] > 0
    assert metrics["seconds_per_epoch"] > 0
    predictions = pl.read_parquet(out / "predictions.parquet")
    test = predictions.filter(pl.col("part") == "test")
    error = (test["interaction_predicted"] if "interaction_predicted" in test.columns
             else test["fitness_predicted"]) - test["fitness_measured"]  # fmt: skip
    assert float(np.square(error.to_numpy()).mean()) == pytest.approx(metrics["test"]["mse"])
    assert {path.name for path in (out / "plots").iterdir()} >= {"loss.png", "comparison.png"}


def test_checkpoint_of_another_hierarchy_is_not_evaluated(tiny_build: Path, tmp_path: Path) -> None:
    from dcell_model import evaluate
    from pipeline.build import build
    from tests.conftest import tiny_parameters

    train.run(tiny_build, tmp_path / "run", settings(epochs=1))
    other = resolve(tiny_parameters(hierarchy={"relations": ["is_a", "part_of"]}))
    build(other, tmp_path / "other")
    (tmp_path / "baselines.json").write_text("{}")
    with pytest.raises(InputError, match="fingerprint"):
        evaluate.run(
            tmp_path / "other", tmp_path / "run", tmp_path / "baselines.json", tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


def test_split_of_another_store(tiny_build: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_build, tmp_path / "build")
    path = tmp_path / "build" / "split" / "split.parquet"
    pl.read_parquet(path)[:-3].write_parquet(path)
    with pytest.raises(InputError, match="the split has 42 samples, the store 45"):
        train.run(tmp_path / "build", tmp_path / "run", settings())


@pytest.mark.slow
def test_two_processes(tiny_build: Path, tmp_path: Path) -> None:
    """`torchrun` trains one model on two processes (gloo) and ends with one set of files."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
               "--master-port", "29617",
               "-m", "dcell_model.train", "--data", str(tiny_build), "--out",
               str(tmp_path / "run"), "--params", str(CHECKOUT / "params.yaml"),
               "--set", "train.epochs=2", "train.batch_size=8", "train.device=cpu",
               "model.width_min=4"]  # fmt: skip
    done = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    record = json.loads((tmp_path / "run" / "train.json").read_text())
    assert record["epochs"] == 2
    checkpoint.load(tmp_path / "run" / "checkpoint.pt")
