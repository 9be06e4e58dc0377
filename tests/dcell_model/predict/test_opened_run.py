"""A run opened by its checkpoint alone and on its build: one model, whichever is asked."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from data_specs.errors import ArtefactError, InputError
from data_specs.parameters import resolve
from dcell_model import open_run, train
from dcell_model.predict import Run


@pytest.fixture(scope="module")
def folder(tiny_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    given = {"train": {"epochs": 1, "batch_size": 8, "members": 2}, "model": {"width_min": 3}}
    train.run(tiny_build, out, resolve(given), lines=False)
    return out


def test_it_is_the_same_model_with_the_build_and_without(folder: Path, tiny_build: Path) -> None:
    alone, on_build = open_run(folder), open_run(folder / "checkpoint.pt", tiny_build)
    assert isinstance(on_build, Run)
    assert not isinstance(alone, Run)
    for name in ("kind", "phenotypes", "digest", "made_from", "path"):
        assert getattr(alone, name) == getattr(on_build, name), name
    assert alone.graph.fingerprint == on_build.graph.fingerprint
    assert len(alone.members) == len(on_build.members) == len(on_build.record()["members"])
    assert not any(own.training for own in (*alone.members, *on_build.members))
    dataset = on_build.dataset
    samples = np.arange(len(dataset))
    of_samples = on_build.predict_samples(samples)
    genes = [dataset[number].genes.astype(np.int64) for number in samples]
    genes = [own[own < alone.graph.num_genes] for own in genes]
    of_genotypes = [alone.predict(own[None])[0] for own in genes]
    np.testing.assert_allclose(of_samples.values.numpy(), of_genotypes, atol=1e-5)
    mean, std = on_build.scale_of(0)
    heads = np.stack([alone.roots(own[None])[:, 0, 0].numpy() for own in genes])
    np.testing.assert_allclose(
        (mean + std * heads).mean(axis=1), of_samples.values[:, 0], atol=1e-5
    )


def test_the_data_of_another_build_are_refused(folder: Path, simulated_build: Path) -> None:
    with pytest.raises(ArtefactError, match=r"checkpoint\.pt was made from another cell graph"):
        open_run(folder, simulated_build)


def test_what_is_no_build_is_refused_before_all_else(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="build"):
        open_run(tmp_path / "no-run", tmp_path)


def test_without_a_cuda_device_none_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no CUDA device is visible"):
        open_run(folder, device="cuda")


def test_a_model_without_subsystems_says_so(folder: Path) -> None:
    alone = open_run(folder)
    assert alone.with_subsystems() == alone.members
    other = dataclasses.replace(alone, kind="dango")
    assert not other.has_subsystems
    with pytest.raises(ArtefactError, match="of a dango model, which has no subsystems"):
        other.with_subsystems()
