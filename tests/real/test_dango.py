"""DANGO on the channels of STRING and the real screen."""

import shutil
from pathlib import Path

import pytest

from data_specs.layout import DataLayout, read_json
from data_specs.parameters.sections import resolve
from dcell_model import train
from pipeline import sources
from pipeline.build import finish
from pipeline.networks import stage as networks
from tests.conftest import real_sources

CHANNELS = ("cooccurence", "database", "fusion", "neighborhood")


@pytest.mark.real
@pytest.mark.slow
def test_an_epoch_on_string(real_data: Path, real_build: Path, tmp_path: Path) -> None:
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
        "train": {"model": "dango", "epochs": 1, "batch_size": 1024},
        "dango": {"width": 16, "pretrain_steps": 20},
    }
    layout = DataLayout(shutil.copytree(real_build, tmp_path / "build"))
    for stage in (sources, networks):  # all others made `real_build` of the same files
        stage.run(resolve(given), layout)
    finish(resolve(given), layout)
    accounts = read_json(layout.ledger)["networks"]
    assert accounts["string-v9.1_yeast_database"]["edges"] > 33_000
    for account in accounts.values():  # both directions stand in the files
        assert (
            account["rows"]
            == sum(account["dropped"].values()) + account["merged"] + account["edges"]
        )
    record = train.run(layout.root, tmp_path / "run", resolve(given))
    assert record["history"][0]["train_loss"] < 1.2
    for error in record["pretraining"]["networks"].values():
        assert error["after"] < error["before"]
