"""Training: it learns, it resumes exactly, it refuses what does not fit."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from data_specs.chain import write_link
from data_specs.errors import InputError
from data_specs.layout import DataLayout
from data_specs.parameters.sections import Parameters, resolve
from dcell_model import cli, train
from dcell_model.checkpoint import format as checkpoint
from dcell_model.data.dataset import MutantStateBatch, MutantStateDataset
from dcell_model.train import loop
from dcell_model.train.state import PARTS
from tests.engines import running
from tests.stopped_training import StopError, stopping_after
from tests.two_processes import train_on_two


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
    for row in record["history"]:
        assert row["train_root"] + row["train_auxiliary"] == pytest.approx(row["train_loss"])
        assert row["train_penalty"] == 0
    assert 1 <= record["best_epoch"] <= 20
    assert (tmp_path / "run" / "live" / "plots" / "metrics" / "train_loss.tsv").is_file()


def test_a_build_that_few_samples_touch_is_warned_about_once(
    tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.run(tiny_build, tmp_path / "a", settings(epochs=2))
    assert "warning" not in capsys.readouterr().err
    shutil.copytree(tiny_build, tmp_path / "data")
    ledger = tmp_path / "data" / "store" / "ledger.json"
    ledger.write_text(json.dumps(json.loads(ledger.read_text()) | {"touching": 3}))
    train.run(tmp_path / "data", tmp_path / "b", settings(epochs=2))
    said = capsys.readouterr().err
    assert said.count("warning: only 3 of 45 samples touch a term of the hierarchy") == 1


def test_same_seed_same_weights_other_seed_others(tiny_build: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train.run(tiny_build, tmp_path / name, settings(seed=seed))
    assert_same(tmp_path / "a", tmp_path / "b")
    with pytest.raises(AssertionError):
        assert_same(tmp_path / "a", tmp_path / "c")


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize("stopped", [1, 4])
def test_resume_continues_as_if_never_stopped(
    tiny_build: Path,
    tmp_path: Path,
    schedule: str,
    stopped: int,
) -> None:
    given = settings(epochs=5, schedule=schedule)
    train.run(tiny_build, tmp_path / "whole", given)
    with stopping_after(stopped), pytest.raises(StopError):
        train.run(tiny_build, tmp_path / "parts", given)
    record = train.run(tiny_build, tmp_path / "parts", given, resume=True)
    assert_same(tmp_path / "whole", tmp_path / "parts")
    whole = json.loads((tmp_path / "whole" / "train.json").read_text())
    for key in ("epoch", "train_loss", "val_loss", "val_pearson", "lr"):
        assert [row[key] for row in record["history"]] == [r[key] for r in whole["history"]]
    assert record["best_epoch"] == whole["best_epoch"]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_resume_in_the_middle_of_an_epoch(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accumulate: int
) -> None:
    given = settings(batch_size=4, accumulate=accumulate, checkpoint_steps=4)
    train.run(tiny_build, tmp_path / "whole", given)
    whole_batch = MutantStateDataset.batch
    steps: list[list[int]] = []

    def counted(self: MutantStateDataset, indices: Any) -> MutantStateBatch:
        if not isinstance(indices, np.ndarray):  # of an epoch, not of validation
            steps.append(list(indices))
            if len(steps) == 18:
                raise StopError
        return whole_batch(self, indices)

    with monkeypatch.context() as patch:
        patch.setattr(MutantStateDataset, "batch", counted)
        with pytest.raises(StopError):
            train.run(tiny_build, tmp_path / "parts", given)
    state = checkpoint.load(tmp_path / "parts" / "last.pt")
    assert state["epoch"] == len(state["history"])
    assert state["under_way"]["steps"] > 0
    record = train.run(tiny_build, tmp_path / "parts", given, resume=True)
    assert_same(tmp_path / "whole", tmp_path / "parts")
    whole = json.loads((tmp_path / "whole" / "train.json").read_text())
    for key in ("epoch", "train_loss", "val_loss", "val_pearson", "lr"):
        assert [row[key] for row in record["history"]] == [r[key] for r in whole["history"]]


def test_a_constant_rate_may_be_trained_on(tiny_build: Path, tmp_path: Path) -> None:
    constant = {"schedule": "constant", "weight_decay": 1e-2}  # `decay` would follow the epochs
    train.run(tiny_build, tmp_path / "whole", settings(epochs=5, **constant))
    for epochs in (2, 5):
        given = settings(epochs=epochs, **constant)
        train.run(tiny_build, tmp_path / "parts", given, resume=epochs == 5)
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_cosine_schedule_ends_near_zero(tiny_build: Path, tmp_path: Path) -> None:
    rates = [row["lr"] for row in train.run(tiny_build, tmp_path, settings(epochs=9))["history"]]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.1 * rates[0]


def test_resume_with_other_parameters(tiny_build: Path, tmp_path: Path) -> None:
    train.run(tiny_build, tmp_path / "run", settings())
    with pytest.raises(InputError, match=r"trained with train\.lr=0\.01, now it is 0\.1"):
        train.run(tiny_build, tmp_path / "run", settings(lr=0.1), resume=True)


@pytest.mark.parametrize("engine", ["reference", "incremental"])
def test_engines_train_alike(tiny_build: Path, tmp_path: Path, engine: str) -> None:
    losses = {}
    for name in {"reference", engine}:
        record = train.run(tiny_build, tmp_path / name, settings(engine=name, batch_size=48))
        assert record["engine"] == name
        losses[name] = [row["train_loss"] for row in record["history"]]
    np.testing.assert_allclose(losses[engine], losses["reference"], rtol=2e-3)


def test_the_record_says_which_pass_ran(tiny_build: Path, tmp_path: Path) -> None:
    with running("torch"):
        record = train.run(tiny_build, tmp_path / "run", settings())
    assert record["engine"] == "incremental"
    assert record["engine_pass"] == "in torch"


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
    for name, size, parts in (("whole", 34, 1), ("halves", 17, 2)):
        given = {"epochs": 1, "batch_size": size, "accumulate": parts, "lr": 1e-4, "clip": None}
        train.run(tiny_build, tmp_path / name, resolve({"train": given, "model": model}))
    moments = [
        checkpoint.load(tmp_path / name / "last.pt")["optimizer"]["state"]
        for name in ("whole", "halves")
    ]
    for whole, halves in zip(moments[0].values(), moments[1].values(), strict=True):
        assert whole["step"] == halves["step"] == 1
        torch.testing.assert_close(halves["exp_avg"], whole["exp_avg"], rtol=1e-3, atol=1e-6)


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
    quick = ["train.epochs=2", "train.batch_size=16", "baselines.mlp_epochs=2"]
    cli.main(["train", "--data", str(tiny_build), "--out", str(out), "--set", *quick])
    printed = capsys.readouterr().out
    for word in ("DCell", "ridge", "mlp", "Pearson", "parameters", str(out / "plots")[:20]):
        assert word in printed.replace("\n", "")
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["test"].keys() == {"pearson", "spearman", "r2", "mse"}
    assert metrics["baselines"].keys() == {"mean", "ridge", "fm", "mlp"}
    assert metrics["samples"] == {"train": 35, "val": 5, "test": 5, "excluded": 0}
    assert metrics["parameters"] > 0
    assert metrics["seconds_per_epoch"] > 0
    predictions = pl.read_parquet(out / "predictions.parquet")
    test = predictions.filter(pl.col("part") == "test")
    error = test["fitness_predicted"] - test["fitness_measured"]
    assert float(np.square(error.to_numpy()).mean()) == pytest.approx(metrics["test"]["mse"])
    assert {path.name for path in (out / "plots").iterdir()} >= {"loss.png", "comparison.png"}


def test_checkpoint_of_another_hierarchy_is_not_evaluated(tiny_build: Path, tmp_path: Path) -> None:
    from dcell_model.evaluate import stage as evaluate
    from pipeline.build import build
    from tests.conftest import tiny_parameters

    train.run(tiny_build, tmp_path / "run", settings(epochs=1))
    other = resolve(tiny_parameters(hierarchy={"relations": ["is_a", "part_of"]}))
    build(other, tmp_path / "other")
    (tmp_path / "baselines.json").write_text("{}")
    with pytest.raises(InputError, match="was made from another cell graph"):
        evaluate.run(
            tmp_path / "other", tmp_path / "run", tmp_path / "baselines.json", tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


def test_split_of_another_store(tiny_build: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_build, tmp_path / "build")
    path = tmp_path / "build" / "split" / "split.parquet"
    pl.read_parquet(path)[:-3].write_parquet(path)
    write_link(DataLayout(tmp_path / "build"), "split", path.parent)
    with pytest.raises(InputError, match="the split has 42 samples, the store 45"):
        train.run(tmp_path / "build", tmp_path / "run", settings())


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["reference", "incremental"])
def test_two_processes_train_as_one_with_batches_twice_as_large(
    tiny_build: Path, tmp_path: Path, engine: str
) -> None:
    """`torchrun` on two processes (gloo): the same loss curve, one set of files."""
    # 34 training samples: the last batch has two, one for each process.
    two, one = (
        # A bias before batch norm has no gradient; AdamW would make steps of what rounding leaves.
        replace(given, model=replace(given.model, norm_order="act_norm"))
        for given in (
            settings(epochs=4, batch_size=8, engine=engine, checkpoint_steps=1),
            settings(epochs=4, batch_size=16, engine=engine),
        )
    )
    torchrun = engine == "incremental"  # and by hand
    record = train_on_two(tiny_build, tmp_path / "two", two, torchrun=torchrun)
    expected = train.run(tiny_build, tmp_path / "one", one)
    assert len(record["history"]) == 4
    for key in ("train_loss", "val_loss", "val_pearson", "lr"):
        np.testing.assert_allclose(
            [row[key] for row in record["history"]], [row[key] for row in expected["history"]],
            rtol=1e-4, err_msg=key,
        )  # fmt: skip
    for name, value in weights(tmp_path / "one").items():
        torch.testing.assert_close(weights(tmp_path / "two")[name], value, rtol=1e-3, atol=1e-4)
    checkpoint.load(tmp_path / "two" / "checkpoint.pt")


def test_an_epoch_begun_on_two_processes_is_not_resumed_on_one(
    tiny_build: Path, tmp_path: Path
) -> None:
    train.run(tiny_build, tmp_path, settings())
    state = checkpoint.load(tmp_path / "last.pt")
    state["under_way"] = {"steps": 1, "loss": 0.5, "samples": 8, "processes": 2}
    checkpoint.save(state, tmp_path / "last.pt")
    with pytest.raises(InputError, match="on 2 processes, now there are 1"):
        train.run(tiny_build, tmp_path, settings(), resume=True)


def test_an_epoch_that_an_earlier_version_began_has_no_parts(
    tiny_build: Path, tmp_path: Path
) -> None:
    """They are not in its checkpoint; those of the next epoch are known."""
    once = settings(epochs=2, checkpoint_steps=1)
    stopped = tmp_path / "stopped"

    class Stopped(loop.Saving):
        def write(self) -> None:
            super().write()
            if self.state.under_way["steps"] == 1:
                raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "Saving", Stopped)
        with pytest.raises(KeyboardInterrupt):
            train.run(tiny_build, stopped, once)
    state = checkpoint.load(stopped / "last.pt")
    del state["under_way"]["parts"]
    checkpoint.save(state, stopped / "last.pt")
    first, second = train.run(tiny_build, stopped, once, resume=True)["history"]
    expected = train.run(tiny_build, tmp_path / "whole", once)["history"]
    assert [first[key] for key in PARTS] == [None] * 3
    assert first["train_loss"] == expected[0]["train_loss"]
    assert [second[key] for key in PARTS] == [expected[1][key] for key in PARTS]
