"""DANGO and multigraph on the channels of STRING and the real screen."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_specs.layout import DataLayout, read_json
from data_specs.parameters.sections import resolve
from dcell_model import open_run, train
from pipeline import sources
from pipeline.build import finish
from pipeline.networks import stage as networks
from tests.conftest import real_sources

CHANNELS = ("cooccurence", "database", "fusion", "neighborhood")
SMALL = {"networks": list(CHANNELS), "width": 16, "heads": 4}


@pytest.fixture(scope="module")
def layout(
    real_data: Path, real_build: Path, tmp_path_factory: pytest.TempPathFactory
) -> DataLayout:
    """The real build with STRING's channels."""
    folder = real_data / "networks"
    given = {
        "sources": real_sources(real_data)
        | {
            "networks": [
                str(folder / f"string-v9.1_yeast_{channel}_adjacency.txt.gz")
                for channel in CHANNELS
            ],
            "network_genes": str(folder / "string-v9.1_yeast_genes.txt.gz"),
        },
    }
    out = tmp_path_factory.mktemp("string") / "build"
    layout = DataLayout(shutil.copytree(real_build, out))
    for stage in (sources, networks):  # all others made `real_build` of the same files
        stage.run(resolve(given), layout)
    finish(resolve(given), layout)
    return layout


@pytest.mark.real
@pytest.mark.slow
def test_the_account_of_string(layout: DataLayout) -> None:
    accounts = read_json(layout.ledger)["networks"]
    assert accounts["string-v9.1_yeast_database"]["edges"] > 33_000
    for account in accounts.values():  # both directions stand in the files
        assert (
            account["rows"]
            == sum(account["dropped"].values()) + account["merged"] + account["edges"]
        )


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(
    "given",
    [
        {"dango": {"pretrain_steps": 20}},
        {"preset": "dango-2020", "dango": {"pretrain_steps": 20, "incomplete": ["neighborhood"]}},
        {"multigraph": {"convolution": "gatv2", "aggregation": "attention"}},
    ],
    ids=["dango", "dango-2020", "multigraph"],
)
def test_an_epoch_on_string(layout: DataLayout, tmp_path: Path, given: dict[str, Any]) -> None:
    (model,) = (name for name in given if name != "preset")
    few = {"model": model, "epochs": 1, "batch_size": 1024}
    parameters = resolve({**given, model: SMALL | given[model], "train": few})
    record = train.run(layout.root, tmp_path / "run", parameters)
    assert record["history"][0]["train_loss"] < 1.2
    pretrained = record.get("pretraining", {"networks": {}})["networks"]
    assert len(pretrained) == (4 if model == "dango" else 0)
    for error in pretrained.values():
        assert error["after"] < error["before"]
    run = open_run(tmp_path / "run", layout.root)
    assert np.isfinite(run.predict(np.array([[0, 1, 2], [5, 3, 4]]))).all()
