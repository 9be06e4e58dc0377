"""From the real files to trained models."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from data_specs.parameters.sections import Model
from dcell_model import cli
from dcell_model.data.dataset import MutantStateDataset
from pipeline import cli as data_cli
from tests.dcell_model.dcell.engines.test_equivalence import assert_equivalent, batch_of
from tests.engines import WAYS

pytestmark = pytest.mark.real


def test_dna_repair_with_the_authors_split(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "genotypes"
    data_cli.main(
        ["build", "--ontology", str(folder / "dcell_GO_0006281.topology"),
         "--genotypes", str(folder / "dcell_GO_0006281.train.txt"),
         "--test-genotypes", str(folder / "dcell_GO_0006281.test.txt"),
         "--out", str(tmp_path / "data")]
    )  # fmt: skip
    cli.main(
        ["train", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "run"),
         "--set", "train.epochs=8", "train.batch_size=256", "baselines.mlp_epochs=2"]
    )  # fmt: skip
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    ledger = json.loads((tmp_path / "data" / "ledger.json").read_text())
    assert ledger["split"]["method"] == "given"
    assert metrics["samples"]["test"] == 2_868
    assert metrics["samples"]["train"] + metrics["samples"]["val"] == 8_783
    assert metrics["baselines"]["ridge"]["test"]["pearson"] == pytest.approx(0.29, abs=0.03)
    assert metrics["test"]["pearson"] > 0.15


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("training", [True, False])
def test_engines_agree_on_the_real_hierarchy(real_build: Path, way: str, training: bool) -> None:
    dataset = MutantStateDataset(real_build / "store", phenotypes=["interaction"])
    config = Model(width_genes="direct", norm_order="norm_act")
    batch = dataset.batch([*range(0, 4000, 250), 0])
    if training:
        # 24 genotypes that delete every gene once. A neuron that no sample moves has no variance,
        # and batch norm would divide its rounding by √eps, stratum after stratum, in any engine.
        genes = np.random.default_rng(0).permutation(dataset.graph.num_genes)
        batch = batch_of(dataset.graph, [part.tolist() for part in np.array_split(genes, 24)])
    assert_equivalent(dataset.graph, config, batch, way, training=training, floor=1.0)


def test_tau_sga_trains(real_build: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    cli.main(
        ["train", "--data", str(real_build), "--out", str(tmp_path / "run"),
         "--preset", "torchcell", "--set", "train.epochs=1", "train.batch_size=512",
         "baselines.mlp_epochs=1", "baselines.fm_sweeps=2", "baselines.trials=1"]
    )  # fmt: skip
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert sum(metrics["samples"].values()) == 10_423
    assert metrics["epochs"] == 1
