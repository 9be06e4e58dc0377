"""The commands that a report gives make the same build and the same model."""

import shlex
from pathlib import Path

import pytest

from data_specs.layout import DataLayout, read_json
from dcell_model.checkpoint import format as checkpoint
from dcell_model.cli import main as dcell
from dcell_model.report.repeat import repetition
from pipeline.cli import main as dcell_data
from tests.conftest import TINY

SETTINGS = ["annotations.gene_id_columns=[11]", "annotations.gene_id_pattern=YAL[0-9]{3}[CW]",
            "hierarchy.containment=2", "sources.profile=local", "split.seed=3",
            "train.lr=0.5"]  # fmt: skip
TRAINING = [
    "train.epochs=1",
    "train.batch_size=16",
    "model.width_min=4",
    "train.clip=none",
    "train.lr=0.001",
]  # the default again


def test_commands_lead_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = tmp_path / "a build", tmp_path / "run"
    dcell_data(["build", "--ontology", str(TINY / "tiny.obo"), "--annotations",
                str(TINY / "tiny.gaf"), "--genotypes", str(TINY / "tiny.tsv"), "--preset",
                "torchcell", "--set", *SETTINGS, "--out", str(data)])  # fmt: skip
    dcell(["train", "--data", str(data), "--out", str(run), "--set", *TRAINING])
    state = checkpoint.load(run / "checkpoint.pt")
    again = repetition(data, run, read_json(run / "train.json")["settings"], "abc+")
    assert ("split.seed", "3") in again.parameters
    assert ("model.norm_order", "norm_act") in again.parameters  # the preset's
    before = read_json(DataLayout(data).parameters), digests(data), state["parameters"]
    build, train = (shlex.split(command.replace("\\\n", "")) for command in again.commands)
    assert (build[0], train[0]) == ("dcell-data", "dcell")
    dcell_data([*build[1:], "--overwrite"])
    dcell([*train[1:], "--overwrite"])
    state = checkpoint.load(run / "checkpoint.pt")
    assert (read_json(DataLayout(data).parameters), digests(data), state["parameters"]) == before


def digests(data: Path) -> list[str]:
    from data_specs.chain import chain

    return [link.digest for link in chain(DataLayout(data))]


def test_a_build_of_dvc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "dvc.yaml").touch()
    data, results = tmp_path / "data", tmp_path / "results"
    settings = {"split": {"seed": 7}, "train": {"epochs": 3}}
    again = repetition(data, results, settings, "abc+")
    assert again.commands == ("git checkout abc", "dvc repro")
    assert dict(again.parameters) == {"split.seed": "7", "train.epochs": "3"}
    assert repetition(data, results, {}, "unknown: not a git checkout").commands == ("dvc repro",)
    assert repetition(data, tmp_path / "runs" / "x", {}, "abc").commands == ()  # not DVC's own run
    monkeypatch.chdir(data)
    assert repetition(Path(), Path("../results"), {}, "abc").commands[-1] == "dvc repro"
