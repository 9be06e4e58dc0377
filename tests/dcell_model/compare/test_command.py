"""`dcell compare`: the same splits for all, mean and spread over the seeds, done runs kept."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from data_specs.chain import digest_of
from data_specs.errors import InputError
from data_specs.layout import DataLayout, read_json
from data_specs.parameters.sections import Parameters, resolve
from dcell_model import cli, train
from dcell_model.compare import command as compare
from dcell_model.compare.command import summarise, table_of
from dcell_model.compare.models import label, usual
from dcell_model.train import loop
from pipeline.build import build
from pipeline.cli import main as dcell_data

SIMULATED = {"terms": 40, "genes": 80, "annotations": 400, "queries": 10, "arrays": 30,
             "triples": 200}  # fmt: skip
QUICK = {"train": {"epochs": 2}, "model": {"width_min": 3}, "baselines": {"mlp_epochs": 2},
         "dango": {"width": 8, "pretrain_steps": 2}}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "build"
    build(resolve({"simulate": SIMULATED, **QUICK}), folder)
    dcell_data(["split", str(folder), "--seeds", "0", "1"])
    dcell_data(["control", str(folder), "--controls", "genes", "--seeds", "0", "1"])
    return folder


def compared(data: Path, out: Path, given: Any = None, **options: Any) -> dict[str, Any]:
    chosen: dict[str, Any] = {"methods": ["random"], "seeds": [0], "models": ["dango", "ridge"]}
    parameters: Parameters = resolve(QUICK | (given or {}))
    return compare.run(data, out, parameters, **chosen | options, progress=lambda _: None)


def test_one_seed_has_no_spread(data: Path, tmp_path: Path) -> None:
    record = compared(data, tmp_path)
    assert [row["model"] for row in record["summary"]] == ["dango", "ridge"]
    assert all(row["pearson_sd"] is None for row in record["summary"])


def test_a_build_that_few_samples_touch_is_warned_about_once(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(data, tmp_path / "data")
    ledger = tmp_path / "data" / "store" / "ledger.json"
    ledger.write_text(json.dumps(read_json(ledger) | {"touching": 3}))
    compared(tmp_path / "data", tmp_path / "out", seeds=[0, 1], models=["dango", "ridge"])
    assert capsys.readouterr().err.count("samples touch a term of the hierarchy") == 1


def test_the_command(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["compare", "--data", str(data), "--out", str(tmp_path), "--seeds", "0", "1"]
    cli.main(arguments)
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert max(map(len, lines)) <= 80
    assert "random split, 2 seeds" in printed
    assert "gene split, 2 seeds" in printed
    names = usual(data)
    for name in names:  # scores and costs, on each split
        rows = [line for line in lines if line.startswith(f" {label(name)} ")]
        assert len(rows) == 2 * 2
    record = read_json(tmp_path / "comparison.json")
    assert len(record["runs"]) == 2 * 2 * len(names)
    assert record["versions"].keys() >= {"python", "torch", "torch-geometric"}
    table = pl.read_parquet(tmp_path / "comparison.parquet")
    assert table.height == len(record["runs"])
    own = table.filter(split="random", model="dcell")["mse"]
    row = next(r for r in record["summary"] if (r["split"], r["model"]) == ("random", "dcell"))
    assert row["mse"] == pytest.approx(own.mean())
    assert row["mse_sd"] == pytest.approx(own.std())
    assert own[0] != own[1]
    # Again, nothing is trained, and all is the same.
    cli.main(arguments)
    assert capsys.readouterr().out.count("(kept)") == table.height
    assert read_json(tmp_path / "comparison.json")["summary"] == record["summary"]


def test_all_models_are_judged_on_the_same_samples(data: Path, tmp_path: Path) -> None:
    models = ["dcell", "dango", "mean", "ridge", "mlp"]
    record = compared(data, tmp_path, methods=["gene"], models=models)
    samples = [result["samples"] for result in record["runs"]]
    assert all(counts == samples[0] for counts in samples)
    assert samples[0] == {
        part: n for part, n in read_json(DataLayout(data, "gene-0").split / "ledger.json").items()
        if part != "method"
    }  # fmt: skip
    mean = record["runs"][2]
    assert mean["pearson"] is None
    assert mean["r2"] <= 0
    assert mean["parameters"] == 1


def test_scores_are_those_of_a_run_by_itself(data: Path, tmp_path: Path) -> None:
    record = compared(data, tmp_path / "compared", models=["dcell"])
    parameters = resolve(QUICK)
    alone = train.run(data, tmp_path / "alone", parameters, split="random-0")
    history = read_json(tmp_path / "compared" / "random-0" / "dcell" / "train.json")["history"]
    assert [r["train_loss"] for r in history] == [r["train_loss"] for r in alone["history"]]
    assert record["runs"][0]["parameters"] == alone["parameters"]


def test_a_training_that_was_stopped_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = compared(data, tmp_path / "whole", models=["dango"])
    epoch = loop._Training._train_one_epoch

    def dies(self: loop._Training, number: int, advance: Any) -> float:
        if number == 2:
            raise KeyboardInterrupt
        return epoch(self, number, advance)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Training, "_train_one_epoch", dies)
        with pytest.raises(KeyboardInterrupt):
            compared(data, tmp_path / "parts", models=["dango"])
    parts = compared(data, tmp_path / "parts", models=["dango"])
    for key in ("pearson", "mse", "parameters", "chosen"):
        assert parts["runs"][0][key] == whole["runs"][0][key]


def test_other_parameters_are_another_comparison(data: Path, tmp_path: Path) -> None:
    compared(data, tmp_path)
    changed = {"dango": {"width": 16, "pretrain_steps": 2}}
    with pytest.raises(InputError, match=r"dango\.width=8, now it is 16; name another folder"):
        compared(data, tmp_path, changed)
    with pytest.raises(InputError, match=r"baselines\.ridge_alphas"):
        compared(
            data, tmp_path, {"baselines": {"mlp_epochs": 2, "ridge_alphas": [1]}}, models=["ridge"]
        )


def test_dcell_on_a_control_is_another_model_on_the_same_samples(
    data: Path, tmp_path: Path
) -> None:
    record = compared(data, tmp_path, seeds=[0, 1], models=["dcell", "dcell:genes", "ridge"])
    assert all(run["samples"] == record["runs"][0]["samples"] for run in record["runs"])
    table = pl.read_parquet(tmp_path / "comparison.parquet")
    r2 = {model: table.filter(model=model)["r2"] for model in table["model"].unique()}
    assert r2["dcell"].to_list() != r2["dcell:genes"].to_list()
    dcell, genes, ridge = record["summary"]
    assert "to" not in dcell
    for row in (genes, ridge):
        less = r2[row["model"]] - r2["dcell"]
        assert row["to"] == "dcell"
        assert row["r2_difference"] == pytest.approx(less.mean())
        assert row["r2_difference_se"] == pytest.approx(less.std() / 2**0.5)  # type: ignore[operator]
    (control,) = record["controls"]
    assert control["control"] == "dcell:genes"
    assert control["r2_difference"] == pytest.approx(-genes["r2_difference"])
    # What was trained is the control of the split's seed, and says so.
    for seed in (0, 1):
        build = data / "controls" / f"genes-{seed}"
        own = read_json(tmp_path / f"random-{seed}" / "dcell-genes" / "train.json")
        assert own["link"]["made_from"]["cell_graph"] == digest_of(DataLayout(build), "cell_graph")
    alone = train.run(
        data / "controls" / "genes-1", tmp_path / "alone",
        resolve(QUICK | {"train": {"epochs": 2, "seed": 1}}), split="random-1",
    )  # fmt: skip
    assert [row["train_loss"] for row in own["history"]] == [
        row["train_loss"] for row in alone["history"]
    ]


def test_controls_that_are_not_there(data: Path, tmp_path: Path) -> None:
    models = ["dcell", "dcell:genes", "dcell:terms"]
    with pytest.raises(InputError) as refused:
        compared(data, tmp_path, seeds=[0, 1], models=models)
    assert str(refused.value) == (
        f"{data}/controls: no terms-0, terms-1 with all of these splits; make them with: "
        f"dcell-data control {data} --controls genes terms --seeds 0 1"
    )
    assert not list(tmp_path.iterdir())


def test_controls_without_a_split_and_with_another_one(data: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    shutil.copytree(data, build)
    models, out = ["dcell:genes"], tmp_path / "out"
    dcell_data(["split", str(build), "--methods", "random", "--seeds", "5"])
    dcell_data(["control", str(build), "--controls", "genes", "--seeds", "5"])
    shutil.rmtree(build / "controls" / "genes-5" / "splits" / "random-5")
    with pytest.raises(InputError, match="no genes-5 with all of these splits"):
        compared(build, out, seeds=[5], models=models)
    command = f"dcell-data control {build} --controls genes --seeds 5"
    dcell_data(command.split()[1:])
    dcell_data(["split", str(build), "--methods", "random", "--seeds", "5",
                "--set", "split.test=0.3", "--overwrite"])  # fmt: skip
    with pytest.raises(InputError) as refused:
        compared(build, out, seeds=[5], models=models)
    assert "genes-5 are of another build, or of other splits" in str(refused.value)
    assert str(refused.value).endswith(f"make them again with: {command} --overwrite")
    dcell_data([*command.split()[1:], "--overwrite"])
    assert len(compared(build, out, seeds=[5], models=models)["runs"]) == 1


def test_models_that_are_none(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--models: unknown 'rigde'; did you mean 'ridge'"):
        compared(data, tmp_path, models=["dcell", "rigde"])
    assert not list(tmp_path.iterdir())


def test_splits_that_are_not_there(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no splits random-7; make them with: dcell-data split"):
        compared(data, tmp_path, seeds=[0, 7])
    assert not list(tmp_path.iterdir())


def test_folder_that_is_something_else(data: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("thesis")
    with pytest.raises(InputError, match="not an earlier comparison"):
        compared(data, tmp_path)


def result(seed: int, pearson: float | None) -> dict[str, Any]:
    scores = {"pearson": pearson, "spearman": 0.5, "mse": 1.0, "r2": 0.0}
    rest = {"seconds": 1.0, "parameters": 2, "samples": {"test": 3}}
    return {"split": "random", "seed": seed, "model": "ridge", **scores, **rest}


def test_summary() -> None:
    assert list(summarise([])) == []
    (row,) = summarise([result(0, 0.2), result(1, 0.4)])
    assert row["pearson"] == pytest.approx(0.3)
    assert row["pearson_sd"] == pytest.approx(np.std([0.2, 0.4], ddof=1))
    (row,) = summarise([result(0, 0.2), result(1, None)])
    assert row["pearson"] is row["pearson_sd"] is None


def test_table_keeps_what_is_not_defined() -> None:
    assert table_of([result(0, None)])["pearson"].to_pylist() == [None]
    assert table_of([]).num_rows == 0
    json.dumps(result(0, None))
