"""Weights of samples: by hand, of mean 1, and what is said where there is nothing to weigh by."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data_specs.errors import InputError
from data_specs.parameters.sections import resolve
from dcell_model import train
from dcell_model.checkpoint import format as checkpoint
from dcell_model.data.dataset import MutantStateDataset
from dcell_model.data.sample_weights import SampleWeights, by_count, by_deviation
from dcell_model.data.targets import stored_phenotypes
from tests.two_processes import train_on_two

NAN = float("nan")


def test_by_hand() -> None:
    """The median of the squares is 4; a sample without a deviation counts as one of 2."""
    found = by_deviation(np.array([0.0, 2.0, 4.0, NAN]))
    expected = np.array([1 / 4, 1 / 8, 1 / 20, 1 / 8])
    np.testing.assert_allclose(found, expected / expected.mean(), rtol=1e-15)
    found = by_count(np.array([1.0, 1.0, 1.0, 2.0, 50.0]))
    np.testing.assert_allclose(found, np.array([1, 1, 1, 2, 10]) / 3, rtol=1e-15)


@pytest.mark.parametrize("deviations", [[0.0, 0.0, 1.0], [NAN, NAN], [0.0]])
def test_without_anything_to_tell_them_apart(deviations: list[float]) -> None:
    assert by_deviation(np.array(deviations)).tolist() == [1.0] * len(deviations)


@given(arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1e15) | st.just(NAN)))
def test_mean_and_range(deviations: Any) -> None:
    weights = by_deviation(deviations)
    assert weights.mean() == pytest.approx(1)
    assert (weights >= 0).all()
    known = ~np.isnan(deviations)
    order = np.argsort(deviations[known])
    assert (np.diff(weights[known][order]) <= 1e-12).all(), "surer samples never count less"


def dataset_of(build: Path, *phenotypes: str) -> MutantStateDataset:
    return MutantStateDataset(build / "store", phenotypes=phenotypes or None)


def test_of_a_store(simulated_build: Path) -> None:
    dataset = dataset_of(simulated_build, "interaction", "fitness")
    training = np.arange(0, len(dataset), 2)
    sd = stored_phenotypes(dataset, ["fitness_sd"])[training, 0].astype(np.float64)
    weights = SampleWeights.of(dataset, training, "sd")
    assert weights.values is not None
    found = weights.values.numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[training, 0], by_deviation(sd), rtol=1e-6)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])
    assert (found[1::2] == 1).all()
    batch = dataset.batch([4, 1, 4])
    own = weights(batch)
    assert own is not None
    assert torch.equal(own, weights.values[[4, 1, 4]])
    assert SampleWeights.of(dataset, training, "none")(batch) is None


def test_without_a_column_it_says_what_to_do(tiny_build: Path, tmp_path: Path) -> None:
    given = resolve({"train": {"weights": "sd", "epochs": 1}, "model": {"width_min": 4}})
    with pytest.raises(InputError, match=r"no standard deviation of 'fitness' among .*fitness_sd"):
        train.run(tiny_build, tmp_path / "run", given)
    assert not (tmp_path / "run" / "last.pt").exists()
    dataset = dataset_of(tiny_build)
    object.__setattr__(dataset.meta, "phenotypes", ("fitness",))
    with pytest.raises(InputError, match="no column 'count'; build it again"):
        SampleWeights.of(dataset, np.arange(3), "count")


def settings(**changes: Any) -> Any:
    given = {"epochs": 2, "batch_size": 48, "weights": "sd", "num_workers": 0} | changes
    small = {"width": 8, "depth": 1, "heads": 2, "pretrain_steps": 2}
    return resolve({"train": given, "model": {"width_min": 3}, "dango": small})


@pytest.mark.parametrize("model", ["dcell", "dango"])
def test_a_run_is_weighted(simulated_build: Path, tmp_path: Path, model: str) -> None:
    losses = {}
    for kind in ("none", "sd", "count"):
        record = train.run(simulated_build, tmp_path / kind, settings(weights=kind, model=model))
        losses[kind] = record["history"][0]["train_loss"]
    assert losses["sd"] != losses["none"]
    assert losses["count"] == pytest.approx(losses["none"]), "no rows were merged there"
    with pytest.raises(InputError, match=r"trained with train\.weights=sd, now it is count"):
        train.run(simulated_build, tmp_path / "sd", settings(weights="count", model=model),
                  resume=True)  # fmt: skip


def test_it_resumes(simulated_build: Path, tmp_path: Path) -> None:
    constant = {"schedule": "constant", "weight_decay": 1e-2}
    train.run(simulated_build, tmp_path / "whole", settings(**constant))
    for epochs in (1, 2):
        given = settings(epochs=epochs, **constant)
        train.run(simulated_build, tmp_path / "parts", given, resume=epochs == 2)
    whole, parts = (
        checkpoint.load(tmp_path / name / "last.pt")["model"] for name in ("whole", "parts")
    )
    for name, value in whole.items():
        assert torch.equal(parts[name], value), name


@pytest.mark.parametrize("engine", ["incremental"])
def test_engines_train_alike(simulated_build: Path, tmp_path: Path, engine: str) -> None:
    losses = []
    for name in ("reference", engine):
        record = train.run(simulated_build, tmp_path / name, settings(engine=name))
        losses.append([row["train_loss"] for row in record["history"]])
    np.testing.assert_allclose(losses[0], losses[1], rtol=2e-3)


@pytest.mark.slow
def test_two_processes_train_as_one(simulated_build: Path, tmp_path: Path) -> None:
    one = settings(batch_size=64, engine="incremental")
    two = settings(batch_size=32, engine="incremental")
    record = train_on_two(simulated_build, tmp_path / "two", two)
    expected = train.run(simulated_build, tmp_path / "one", one)
    for key in ("train_loss", "val_loss"):
        np.testing.assert_allclose(
            [row[key] for row in record["history"]], [row[key] for row in expected["history"]],
            rtol=1e-3, err_msg=key,
        )  # fmt: skip
