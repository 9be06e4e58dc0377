"""Multigraph in the loop that trains all: it learns, resumes exactly, predicts, and is compared."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from data_specs.chain import chain, write_link
from data_specs.errors import ArtefactError, InputError
from data_specs.gene_networks import write_manifest
from data_specs.layout import DataLayout, read_json
from data_specs.parameters.sections import Parameters, resolve
from dcell_model import cli, open_run, train
from dcell_model.checkpoint import format as checkpoint
from dcell_model.data.dataset import MutantStateDataset
from dcell_model.evaluate import stage as evaluate
from dcell_model.graph_models.multigraph.model import Multigraph
from dcell_model.models import restore
from pipeline.cli import main as dcell_data
from tests.stopped_training import StopError, stopping_after
from tests.two_processes import train_on_two

QUICK = ["train.epochs=2", "multigraph.width=16", "baselines.mlp_epochs=2", "baselines.trials=1"]


@pytest.fixture(scope="module")
def data(simulated_build: Path) -> Path:
    return simulated_build


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run by the command, with scores and a report; read only."""
    out = tmp_path_factory.mktemp("trained") / "run"
    cli.main(["train", "--data", str(data), "--out", str(out), "--model", "multigraph", "--set",
              *QUICK])  # fmt: skip
    return out


def settings(multigraph: dict[str, Any] | None = None, **changes: Any) -> Parameters:
    given = {"model": "multigraph", "epochs": 3, "batch_size": 32, "lr": 1e-2, **changes}
    return resolve({"train": given, "multigraph": {"width": 16} | (multigraph or {})})


def weights(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = checkpoint.load(run / "last.pt")["model"]
    return state


@pytest.mark.parametrize(
    ("convolution", "aggregation"),
    [("gin", "sum"), ("gatv2", "attention"), ("sage", "mean"), ("sage", "pairwise")],
)
def test_it_learns_better_than_the_mean(
    data: Path, tmp_path: Path, convolution: str, aggregation: str
) -> None:
    given = settings({"convolution": convolution, "aggregation": aggregation}, epochs=8)
    record = train.run(data, tmp_path / "run", given)
    assert (record["model"], record["engine"]) == ("multigraph", convolution)
    assert "pretraining" not in record
    assert record["history"][-1]["train_loss"] < 0.9  # the mean's is 1
    assert max(row["val_pearson"] for row in record["history"]) > 0.2


@pytest.mark.slow
def test_two_processes_train_as_one_with_batches_twice_as_large(data: Path, tmp_path: Path) -> None:
    """`torchrun` on two processes (gloo): the same loss curve. There are no batch statistics."""
    record = train_on_two(data, tmp_path / "two", settings(batch_size=16, epochs=2))
    expected = train.run(data, tmp_path / "one", settings(batch_size=32, epochs=2))
    for key in ("train_loss", "val_loss", "val_pearson", "lr"):
        np.testing.assert_allclose(
            [row[key] for row in record["history"]], [row[key] for row in expected["history"]],
            rtol=1e-3, err_msg=key,
        )  # fmt: skip


def test_resume_continues_as_if_never_stopped(data: Path, tmp_path: Path) -> None:
    train.run(data, tmp_path / "whole", settings())
    with stopping_after(1), pytest.raises(StopError):
        train.run(data, tmp_path / "parts", settings())
    train.run(data, tmp_path / "parts", settings(), resume=True)
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(weights(tmp_path / "parts")[name], value), name
    with pytest.raises(InputError, match=r"trained with multigraph\.width=16, now it is 32"):
        train.run(data, tmp_path / "parts", settings({"width": 32}), resume=True)


def test_cached_embeddings_change_no_score(data: Path, tmp_path: Path) -> None:
    """Each epoch is judged with the weights as they are then."""
    records = [
        train.run(data, tmp_path / str(cached), settings({"cache_embeddings": cached}))
        for cached in (True, False)
    ]
    first, second = ([row["val_loss"] for row in record["history"]] for record in records)
    assert first == second
    assert len(set(first)) == len(first)


def test_the_command_the_chain_and_the_report(data: Path, trained: Path) -> None:
    assert json.loads((trained / "metrics.json").read_text())["model"] == "multigraph"
    links = {link.name: link for link in chain(DataLayout(data), trained)}
    assert not [link for link in links.values() if link.fault]
    assert links["checkpoint"].made_from["networks"] == links["networks"].digest
    assert "multigraph trained to predict interaction" in (trained / "report.html").read_text()


def test_genotypes_are_predicted_on_its_build(
    data: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = open_run(trained, data)
    genes = list(run.graph.gene_ids[:5])
    wanted = [genes[:1], genes[:2], genes[1::-1], genes[:5], ["NOBODY"]]
    command = ["predict", "--checkpoint", str(trained), "--genotypes",
               ";".join("|".join(own) for own in wanted)]  # fmt: skip
    cli.main([*command, "--data", str(data), "--out", str(tmp_path / "p.parquet")])
    table = pq.read_table(tmp_path / "p.parquet")
    values = table["interaction_predicted"].to_pylist()
    assert values[1] == pytest.approx(values[2], rel=1e-5)  # in any order
    assert len({round(value, 6) for value in values}) == 4
    assert table["unknown"].to_pylist() == ["", "", "", "", "NOBODY"]
    expected = run.predict(np.array([[0, 1]]))[0, 0]
    assert values[1] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(SystemExit):
        cli.main(command)
    assert "of a multigraph model, which needs the networks of its build" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main([*command, "--data", str(data), "--subsystems"])
    assert "of a multigraph model, which has no subsystems" in capsys.readouterr().err


def test_it_is_compared(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(data, tmp_path / "data")
    dcell_data(["split", str(tmp_path / "data"), "--methods", "random", "--seeds", "0"])
    out = tmp_path / "compared"
    cli.main(["compare", "--data", str(tmp_path / "data"), "--out", str(out), "--models",
              "multigraph", "ridge", "--splits", "random", "--seeds", "0",
              "--set", *QUICK])  # fmt: skip
    assert "multigraph" in capsys.readouterr().out
    summary = read_json(out / "comparison.json")["summary"]
    assert [row["model"] for row in summary] == ["multigraph", "ridge"]
    assert all(np.isfinite(row["pearson"]) for row in summary)


def test_an_ensemble(data: Path, tmp_path: Path) -> None:
    train.run(data, tmp_path, settings(epochs=1, members=2))
    run = open_run(tmp_path, data)
    first, second = run.members
    assert isinstance(first, Multigraph)
    assert isinstance(second, Multigraph)
    assert not torch.equal(first.features.weight, second.features.weight)
    predicted = run.predict_samples([0, 1, 2])
    assert predicted.values.isfinite().all()
    assert (predicted.spread > 0).all()


def test_other_networks(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data")
    layout = DataLayout(tmp_path / "data")
    train.run(layout.root, tmp_path / "run", settings(epochs=1))
    (tmp_path / "baselines.json").write_text("{}")
    write_manifest(layout.networks, ["complexes"])
    write_link(layout, "networks", layout.networks)
    with pytest.raises(ArtefactError, match="was made from other networks"):
        evaluate.run(layout.root, tmp_path / "run", tmp_path / "baselines.json", tmp_path / "out")


def test_restored_it_predicts_the_same(data: Path, tmp_path: Path) -> None:
    train.run(data, tmp_path, settings({"networks": ["complexes"]}, epochs=1))
    layout, path = DataLayout(data), tmp_path / "checkpoint.pt"
    dataset = MutantStateDataset(layout.store)
    models = [restore(checkpoint.load(path), layout, dataset, path)[0] for _ in range(2)]
    batch = dataset.batch([0, 1, 2])
    assert torch.equal(models[0](batch), models[1](batch))
    state = checkpoint.load(path)
    given = json.loads(state["parameters"])
    for key in ("depth", "head_layers", "preprocess_layers"):
        asks = given | {"multigraph": given["multigraph"] | {key: 999}}
        with pytest.raises(ArtefactError, match=rf"multigraph\.{key} is 999, but there are"):
            restore(state | {"parameters": json.dumps(asks)}, layout, dataset, path)
    state["model"].pop("features.weight")
    with pytest.raises(ArtefactError, match="tensors do not fit"):
        restore(state, layout, dataset, path)


def test_no_networks(tiny_build: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no networks; build the data with sources\.networks"):
        train.run(tiny_build, tmp_path, settings())
