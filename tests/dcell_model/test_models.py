"""A new model is one entry of the registry: it is trained, evaluated, reported and compared."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from data_specs.chain import chain
from data_specs.errors import ArtefactError, InputError, ParameterError
from data_specs.layout import DataLayout, read_json
from data_specs.parameters import MODEL_SECTIONS, Parameters
from data_specs.parameters.sections import resolve
from dcell_model import cli, models, open_run, train
from dcell_model.baselines import BASELINES, FittedModel
from dcell_model.baselines.samples import Fit
from dcell_model.checkpoint import format as checkpoint
from dcell_model.data.dataset import MutantStateBatch, MutantStateDataset
from dcell_model.explain import command as explain
from dcell_model.models import MODELS, TrainedModel, record_of, restore, title_of
from dcell_model.tune import search_space
from pipeline.cli import main as dcell_data
from tests.conftest import CHECKOUT
from tests.stopped_training import StopError, stopping_after

QUICK = ["train.epochs=3", "train.batch_size=32", "train.lr=0.05"]
FITTED = ["baselines.mlp_epochs=2", "baselines.trials=1"]


class Additive(nn.Module):
    """An effect a deleted gene, and nothing else."""

    engine = "sum"

    def __init__(self, dataset: MutantStateDataset, phenotypes: int) -> None:
        super().__init__()
        self.graph, self.sync_batchnorm = dataset.graph, False
        self.effect = nn.Parameter(0.01 * torch.randn(len(dataset.gene_ids), phenotypes))
        self.bias = nn.Parameter(torch.zeros(phenotypes))

    def forward(self, batch: MutantStateBatch, *, dense: bool = True) -> Tensor:
        heads = self.bias.repeat(len(batch), 1)
        return heads.index_add(0, batch.deleted_sample, self.effect[batch.deleted_gene])[None]

    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def weight_penalty(self) -> Tensor:
        return self.effect.square().sum()


def create(_: DataLayout, dataset: MutantStateDataset, __: Parameters, phenotypes: int) -> Additive:
    return Additive(dataset, phenotypes)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that makes it a model of this project."""
    monkeypatch.setitem(MODELS, "toy", TrainedModel(title="Toy", create=create))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from pipeline.build import build

    small = {"terms": 40, "genes": 80, "annotations": 400, "queries": 10, "arrays": 30,
             "triples": 200}  # fmt: skip
    folder = tmp_path_factory.mktemp("simulated") / "build"
    build(resolve({"simulate": small}), folder)
    dcell_data(["split", str(folder), "--methods", "random", "--seeds", "0"])
    return folder


def weights(run: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = checkpoint.load(run / "last.pt")["model"]
    return state


def test_it_is_trained_resumed_evaluated_and_reported(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = resolve({"train": {"model": "toy", "epochs": 3, "batch_size": 32, "lr": 0.05}})
    command = ["train", "--data", str(data), "--out", str(tmp_path / "parts"), "--model", "toy"]
    with stopping_after(1), pytest.raises(StopError):
        cli.main([*command, "--set", *QUICK, *FITTED])
    cli.main([*command, "--resume"])
    assert "Toy" in capsys.readouterr().out
    train.run(data, tmp_path / "whole", given)
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(weights(tmp_path / "parts")[name], value), name
    record, metrics = (
        read_json(tmp_path / "parts" / name) for name in ("train.json", "metrics.json")
    )
    assert (record["model"], record["engine"], metrics["model"]) == ("toy", "sum", "toy")
    assert record["history"][-1]["train_loss"] < record["history"][0]["train_loss"]
    assert "norm_order" not in record
    assert "Toy" in (tmp_path / "parts" / "report.html").read_text()
    assert not [link for link in chain(DataLayout(data), tmp_path / "parts") if link.fault]


def test_an_ensemble_of_it(data: Path, tmp_path: Path) -> None:
    given = {"model": "toy", "epochs": 1, "batch_size": 32, "members": 2}
    record = train.run(data, tmp_path, resolve({"train": given}))
    assert len(record["members"]) == 2
    layout = DataLayout(data)
    dataset = MutantStateDataset(layout.store)
    state = checkpoint.load(tmp_path)
    members = restore(state, layout, dataset, tmp_path)
    assert [type(own) for own in members] == [Additive, Additive]
    assert not torch.equal(members[0].effect, members[1].effect)
    state["model"].pop("effect")
    with pytest.raises(ArtefactError, match=r"tensors do not fit: it lacks 'effect'"):
        restore(state, layout, dataset, tmp_path)


def test_it_is_compared(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "compared"
    cli.main(["compare", "--data", str(data), "--out", str(out), "--models", "toy", "ridge",
              "--splits", "random", "--seeds", "0", "--set", *QUICK, *FITTED])  # fmt: skip
    assert "Toy" in capsys.readouterr().out
    record = json.loads((out / "comparison.json").read_text())
    assert [row["model"] for row in record["summary"]] == ["toy", "ridge"]
    assert all(np.isfinite(row["pearson"]) for row in record["summary"])
    made_with = read_json(out / "random-0" / "toy" / "result.json")["made_with"]
    assert made_with["train.model"] == "toy"
    assert {"cell_graph", "store", "split"} < made_with.keys()
    assert not [key for key in made_with if key.partition(".")[0] in MODEL_SECTIONS.values()]


def test_what_it_does_not_read_is_refused(data: Path, tmp_path: Path) -> None:
    for assignment, reader in (("model.width_min=3", "dcell"), ("dango.width=8", "dango")):
        with pytest.raises(ParameterError, match=rf"train\.model=toy; .*--model {reader}\)"):
            train.parameters_of(data, tmp_path, ["train.model=toy", assignment], where="here")
    parameters = resolve({"train": {"model": "toy"}})
    with pytest.raises(ParameterError, match=r"does not read model\.width_min; .* train\.\*$"):
        search_space(parameters, ["model.width_min=3,4"], [])
    assert list(search_space(parameters, ["train.lr=0.1,0.2"], [])) == ["train.lr"]


def test_what_asks_for_a_hierarchy_refuses_it(data: Path, tmp_path: Path) -> None:
    train.run(data, tmp_path, resolve({"train": {"model": "toy", "epochs": 1}}))
    with pytest.raises(ArtefactError, match="of a toy model, which needs its build; expected a DC"):
        checkpoint.restore(checkpoint.load(tmp_path), None, tmp_path)
    with pytest.raises(ArtefactError, match="of a toy model, which needs its build; expected a DC"):
        open_run(tmp_path)
    with pytest.raises(ArtefactError, match="of a toy model, which has no subsystems"):
        explain.run(tmp_path, data, tmp_path / "explained")


def test_what_it_needs_is_asked_for_before_anything_is_touched(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_: DataLayout, __: Parameters) -> None:
        raise InputError("the build has no toys")

    record = TrainedModel(title="Toy", create=create, require=refuses)
    monkeypatch.setitem(MODELS, "toy", record)
    out = tmp_path / "run"
    with pytest.raises(InputError, match="no toys"):
        train.run(data, out, resolve({"train": {"model": "toy"}}))
    assert not [path for path in out.glob("*") if path.suffix in (".pt", ".json")]


def test_a_name_of_no_model(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match=r"here: train\.model: unknown 'toi'; .* mean 'toy'"):
        train.parameters_of(data, tmp_path, ["train.model=toi"], where="here")
    with pytest.raises(ParameterError, match=r"train\.model: unknown 'ridge'"):  # is not trained
        train.run(data, tmp_path / "new", resolve({"train": {"model": "ridge"}}))
    train.run(data, tmp_path, resolve({"train": {"model": "toy", "epochs": 1}}))
    monkeypatch.delitem(MODELS, "toy")
    layout = DataLayout(data)
    with pytest.raises(ParameterError, match=r"train\.model: unknown 'toy'"):
        restore(checkpoint.load(tmp_path), layout, MutantStateDataset(layout.store), tmp_path)


def test_a_new_baseline_is_compared(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fit_median(genotypes: Any, targets: Any, train: Any, val: Any, config: Any) -> Fit:
        median = np.median(targets[train], axis=0)
        return Fit(np.tile(median, (len(targets), 1)), len(median), {})

    monkeypatch.setitem(BASELINES, "median", FittedModel(fit=fit_median))
    cli.main(["compare", "--data", str(data), "--out", str(tmp_path), "--models", "ridge",
              "median", "--splits", "random", "--seeds", "0", "--set", *FITTED])  # fmt: skip
    assert "median" in capsys.readouterr().out
    assert read_json(tmp_path / "random-0" / "median" / "result.json")["parameters"] == 1


def test_every_section_of_a_model_is_that_of_a_model() -> None:
    assert MODEL_SECTIONS.keys() <= MODELS.keys()
    assert record_of("dcell").title == title_of("dcell") == "DCell"
    assert title_of("ridge") == "ridge"


def test_a_model_is_named_in_its_package_and_in_the_registry_alone() -> None:
    """Whoever adds one looks nowhere else for what the others are told apart by."""
    package = CHECKOUT / "dcell_model"
    naming = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py") if "dango" in path.read_text(encoding="utf-8").lower()
    }  # fmt: skip
    assert naming == {"graph_models", Path(models.__file__).name}
