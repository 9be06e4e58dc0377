"""What a run is trained with: its build's parameters, a command's, a file's."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from data_specs.errors import ArtefactError, ParameterError
from data_specs.parameters.given import build_parameters
from data_specs.parameters.sections import resolve
from dcell_model import cli
from dcell_model.checkpoint.trained_sections import TRAINING
from dcell_model.train.parameters import training_parameters
from pipeline.cli import main as dcell_data


def test_all_but_the_training_is_the_builds(tiny_build: Path) -> None:
    parameters, notes = training_parameters(tiny_build, ["train.epochs=3"])
    assert parameters.train.epochs == 3
    assert parameters.hierarchy == resolve(build_parameters(tiny_build)).hierarchy
    assert notes == []


@pytest.mark.parametrize("key", ["hierarchy.containment=10", "split.seed=1", "dask.workers=1"])
def test_what_belongs_to_the_build_is_refused(tiny_build: Path, key: str) -> None:
    with pytest.raises(ParameterError) as refused:
        training_parameters(tiny_build, ["train.epochs=3", key])
    assert f"--set {key}: dcell train does not use {key.split('=')[0]}" in str(refused.value)
    for section in TRAINING:
        assert f"{section}.*" in str(refused.value)


def test_a_preset_is_taken_as_far_as_it_is_of_the_training(tiny_build: Path) -> None:
    built = resolve(build_parameters(tiny_build))
    parameters, notes = training_parameters(tiny_build, ["preset=torchcell"])
    assert parameters.model.width_genes == "direct"
    assert parameters.hierarchy == built.hierarchy
    assert parameters.annotations == built.annotations
    told = [note for note in notes if "hierarchy.containment is 4" in note]
    assert told
    assert f"the build {tiny_build} was made with {built.hierarchy.containment}" in told[0]


def test_a_builds_own_preset_is_no_news(tiny_build: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    build.mkdir()
    given = {"preset": "torchcell", "hierarchy": {"containment": 1}}
    (build / "params.json").write_text(json.dumps(given))
    assert training_parameters(build)[1] == []
    assert training_parameters(build, ["preset=torchcell"])[1] == []
    assert training_parameters(build, ["preset=paper-2018"])[1] != []


def test_a_file_takes_the_place_of_the_builds(tiny_build: Path, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({"train": {"epochs": 7}, "hierarchy": {"containment": 9}}))
    parameters, notes = training_parameters(tiny_build, ["train.lr=0.5"], params=path)
    assert (parameters.train.epochs, parameters.train.lr) == (7, 0.5)
    assert parameters.hierarchy.containment != 9
    assert [note for note in notes if note.startswith(f"{path}: hierarchy.containment is 9")]


def test_a_build_of_dvc_is_made_with_the_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text("train:\n  epochs: 5\n  lr:\nhierarchy:\n")
    (tmp_path / "data").mkdir()
    parameters, notes = training_parameters(tmp_path / "data")
    assert parameters.train.epochs == 5
    assert notes == []


def test_a_file_of_a_build_that_is_no_mapping(tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text("[1]")
    with pytest.raises(ArtefactError, match="expected sections with keys"):
        build_parameters(tmp_path)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["train", "--set", "hierarchy.containment=10"], "dcell train does not use hierarchy."),
        (["train", "--set", "dango.width=32"], "no effect with train.model=dcell"),
        (["train", "--model", "dango", "--set", "model.width_min=3"], "train.model=dango"),
        (["train", "--set", "train.phenotypes=[fitnes]"], "Did you mean 'fitness'?"),
        (["compare", "--set", "hierarchy.containment=10"], "dcell compare does not use hier"),
        (["compare", "--set", "train.seed=3"], "takes train.seed from --seeds"),
        (["compare", "--splits", "randm"], "--splits: unknown 'randm'; did you mean 'random'?"),
        (["compare", "--seeds", "0", "0"], "--seeds is [0, 0]; expected values that all differ"),
    ],
)
def test_commands_of_a_model_refuse(
    tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str],
    message: str,
) -> None:  # fmt: skip
    out = tmp_path / "run"
    with pytest.raises(SystemExit):
        cli.main([*command, "--data", str(tiny_build), "--out", str(out)])
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["split", "DATA", "--set", "hierarchy.containment=10"], "dcell-data split does not use"),
        (["split", "DATA", "--set", "split.seed=1"], "takes split.seed from --seeds"),
        (["split", "DATA", "--methods", "randm"], "did you mean 'random'?"),
        (["split", "DATA", "--seeds", "-1"], "--seeds is -1; expected at least 0"),
        (["simulate", "--out", "OUT", "--set", "train.lr=1"], "dcell-data simulate does not use"),
        (["build", "--ontology", "a", "--genotypes", "b", "--out", "OUT", "--set",
          "simulate.terms=50"], "dcell-data build does not use simulate.terms"),
    ],
)  # fmt: skip
def test_commands_of_data_refuse(
    tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str],
    message: str,
) -> None:  # fmt: skip
    data = tmp_path / "data"
    shutil.copytree(tiny_build, data)
    places = {"DATA": str(data), "OUT": str(tmp_path / "out")}
    with pytest.raises(SystemExit):
        dcell_data([places.get(word, word) for word in command])
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert not (data / "splits").exists()
