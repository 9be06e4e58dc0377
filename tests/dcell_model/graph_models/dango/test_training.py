"""Another model in the same loop: it learns, resumes exactly, and knows what it was made from."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_specs.chain import chain, write_link
from data_specs.errors import ArtefactError, InputError
from data_specs.gene_networks import write_manifest
from data_specs.layout import DataLayout
from data_specs.parameters.sections import Parameters, resolve
from dcell_model import cli, train
from dcell_model.checkpoint import format as checkpoint
from dcell_model.data.dataset import MutantStateDataset
from dcell_model.evaluate import stage as evaluate
from dcell_model.models import restore
from tests.stopped_training import StopError, stopping_after
from tests.two_processes import train_on_two


@pytest.fixture(scope="module")
def data(simulated_build: Path) -> Path:
    return simulated_build


def settings(dango: dict[str, Any] | None = None, **changes: Any) -> Parameters:
    given = {"model": "dango", "epochs": 3, "batch_size": 32, "lr": 1e-2, **changes}
    small = {"width": 16, "pretrain_steps": 10} | (dango or {})
    return resolve({"train": given, "dango": small})


def weights(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = checkpoint.load(run / "last.pt")["model"]
    return state


@pytest.mark.parametrize("encoder", ["sage", "gin"])
@pytest.mark.parametrize("aggregation", ["cross_attention", "pairwise"])
def test_it_learns_better_than_the_mean(
    data: Path, tmp_path: Path, encoder: str, aggregation: str
) -> None:
    given = settings({"encoder": encoder, "aggregation": aggregation}, epochs=8)
    record = train.run(data, tmp_path / "run", given)
    assert (record["model"], record["engine"]) == ("dango", encoder)
    assert record["history"][-1]["train_loss"] < 0.6  # the mean's is 1
    assert max(row["val_pearson"] for row in record["history"]) > 0.2
    for name in ("complexes", "coexpression"):
        error = record["pretraining"]["networks"][name]
        assert error["after"] < error["before"]


def test_as_published_it_learns(data: Path, tmp_path: Path) -> None:
    """By the preset, small: its parts, its reconstruction, and its loss."""
    small = {"networks": ["complexes", "coexpression"], "incomplete": ["coexpression"],
             "width": 16, "heads": 4, "pretrain_steps": 20}  # fmt: skip
    given = {"preset": "dango-2020", "dango": small, "train": {"epochs": 12, "batch_size": 32}}
    record = train.run(data, tmp_path / "published", resolve(given))
    zero_weights = {
        name: own["zero_weight"] for name, own in record["pretraining"]["networks"].items()
    }
    assert zero_weights == {"coexpression": 0.1, "complexes": 1.0}
    losses = [row["train_loss"] for row in record["history"]]
    assert losses[-1] < 0.5 * losses[0]
    assert max(row["val_pearson"] for row in record["history"]) > 0.2
    squared = given | {"dango": small | {"loss": "squared"}}
    other = train.run(data, tmp_path / "squared", resolve(squared))
    assert other["history"][0]["train_loss"] > losses[0]


@pytest.mark.slow
def test_two_processes_train_as_one_with_batches_twice_as_large(data: Path, tmp_path: Path) -> None:
    """`torchrun` on two processes (gloo): the same loss curve. The head has no batch statistics."""
    record = train_on_two(data, tmp_path / "two", settings(batch_size=16, epochs=2))
    expected = train.run(data, tmp_path / "one", settings(batch_size=32, epochs=2))
    assert record["pretraining"]["networks"] == expected["pretraining"]["networks"]
    assert len(record["history"]) == 2
    for key in ("train_loss", "val_loss", "val_pearson", "lr"):
        np.testing.assert_allclose(
            [row[key] for row in record["history"]], [row[key] for row in expected["history"]],
            rtol=1e-4, err_msg=key,
        )  # fmt: skip
    trained = weights(tmp_path / "one")
    del trained["aggregate.key.bias"]  # moves a gene's scores alike: its gradient is rounding
    for name, value in trained.items():
        torch.testing.assert_close(weights(tmp_path / "two")[name], value, rtol=1e-3, atol=1e-4)


def test_resume_continues_as_if_never_stopped(data: Path, tmp_path: Path) -> None:
    train.run(data, tmp_path / "whole", settings())
    with stopping_after(1), pytest.raises(StopError):
        train.run(data, tmp_path / "parts", settings())
    record = train.run(data, tmp_path / "parts", settings(), resume=True)
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(weights(tmp_path / "parts")[name], value), name
    assert record["pretraining"]["steps"] == 10
    with pytest.raises(InputError, match=r"trained with dango\.width=16, now it is 32"):
        train.run(data, tmp_path / "parts", settings({"width": 32}), resume=True)
    with pytest.raises(InputError, match=r"now it is"):
        train.run(data, tmp_path / "parts", settings(model="dcell"), resume=True)


def test_the_command_and_the_chain(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = ["train.epochs=2", "dango.width=16", "dango.pretrain_steps=5", "baselines.mlp_epochs=2"]
    cli.main(["train", "--data", str(data), "--out", str(tmp_path), "--model", "dango", "--set",
              *quick])  # fmt: skip
    assert "DANGO" in capsys.readouterr().out
    assert json.loads((tmp_path / "metrics.json").read_text())["model"] == "dango"
    links = {link.name: link for link in chain(DataLayout(data), tmp_path)}
    assert not [link for link in links.values() if link.fault]
    assert links["checkpoint"].made_from["networks"] == links["networks"].digest
    genotypes = ["--genotypes", "YAL001C", "--out", str(tmp_path / "p.csv")]
    cli.main(["predict", "--checkpoint", str(tmp_path), "--data", str(data), *genotypes])
    assert (tmp_path / "p.csv").read_text().startswith('"genotype"')


def test_other_networks(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data")
    layout = DataLayout(tmp_path / "data")
    train.run(layout.root, tmp_path / "run", settings(epochs=1))
    (tmp_path / "baselines.json").write_text("{}")
    write_manifest(layout.networks, ["complexes"])
    write_link(layout, "networks", layout.networks)
    with pytest.raises(ArtefactError, match="was made from other networks"):
        evaluate.run(layout.root, tmp_path / "run", tmp_path / "baselines.json", tmp_path / "out")
    with pytest.raises(ArtefactError, match="was made from other networks"):
        train.run(layout.root, tmp_path / "run", settings(epochs=1), resume=True)


def test_restored_it_predicts_the_same(data: Path, tmp_path: Path) -> None:
    train.run(data, tmp_path, settings(epochs=1))
    layout = DataLayout(data)
    dataset = MutantStateDataset(layout.store)
    path = tmp_path / "checkpoint.pt"
    torch.load(path, weights_only=True)
    models = [restore(checkpoint.load(path), layout, dataset, path)[0] for _ in range(2)]
    batch = dataset.batch([0, 1, 2])
    assert torch.equal(models[0](batch), models[1](batch))
    state = checkpoint.load(path)
    with pytest.raises(ArtefactError, match="a dango model, which needs the networks"):
        checkpoint.restore(state, None, path)
    state["model"].pop("features.weight")
    with pytest.raises(ArtefactError, match="tensors do not fit"):
        restore(state, layout, dataset, path)


def test_one_of_the_networks(data: Path, tmp_path: Path) -> None:
    record = train.run(data, tmp_path, settings({"networks": ["complexes"]}, epochs=1))
    assert list(record["pretraining"]["networks"]) == ["complexes"]


def test_no_networks(tiny_build: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no networks; build the data with sources\.networks"):
        train.run(tiny_build, tmp_path, settings())
