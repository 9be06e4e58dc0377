"""An ensemble: its members are runs of their own, their mean predicts, and all commands take it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
import torch

from data_specs.errors import ArtefactError, InputError
from data_specs.layout import DataLayout
from data_specs.parameters.sections import Parameters, resolve
from dcell_model import baselines, cli, train
from dcell_model import models as model_kinds
from dcell_model.baselines import read_samples
from dcell_model.checkpoint import format as checkpoint
from dcell_model.checkpoint.calibration import Calibration
from dcell_model.checkpoint.run_folder import member_folder
from dcell_model.data.dataset import MutantStateDataset
from dcell_model.evaluate import stage as evaluate
from dcell_model.predict.of_store import predict
from dcell_model.predict.opened_run import open_run
from dcell_model.report import stage as report
from dcell_model.train import loop

GIVEN = {"epochs": 3, "batch_size": 16, "seed": 5, "members": 3}
SMALL = {"width_min": 4}


def settings(**changes: Any) -> Parameters:
    quick = {"trials": 1, "fm_sweeps": 2, "mlp_epochs": 2}
    return resolve({"train": GIVEN | changes, "model": SMALL, "baselines": quick})


@pytest.fixture(scope="module")
def ensemble(tiny_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of three members; read only."""
    out = tmp_path_factory.mktemp("ensemble") / "run"
    train.run(tiny_build, out, settings())
    return out


def test_members_are_runs_with_seeds_of_their_own(
    tiny_build: Path, ensemble: Path, tmp_path: Path
) -> None:
    alone = settings(seed=6, members=1)
    record = train.run(tiny_build, tmp_path / "alone", alone)
    state = checkpoint.load(ensemble)
    weights = checkpoint.weights_of(state)
    assert len(weights) == 3
    own = checkpoint.load(tmp_path / "alone")["model"]
    assert all(torch.equal(weights[1][name], own[name]) for name in own)
    assert not torch.equal(weights[0]["bias"], own["bias"])
    found = json.loads((ensemble / "train.json").read_text())
    assert [member["seed"] for member in found["members"]] == [5, 6, 7]
    assert found["members"][1]["best_epoch"] == record["best_epoch"]
    assert found["parameters"] == 3 * record["parameters"]
    records = [member_folder(ensemble, n) / "train.json" for n in range(3)]
    losses = [json.loads(path.read_text())["history"][0]["val_loss"] for path in records]
    assert found["history"][0]["val_loss"] == pytest.approx(np.mean(losses))


def test_the_mean_is_calibrated_and_predicted(tiny_build: Path, ensemble: Path) -> None:
    state, layout = checkpoint.load(ensemble), DataLayout(tiny_build)
    dataset, targets, parts = read_samples(layout, settings())
    members = model_kinds.restore(state, layout, dataset, ensemble)
    scale = state["target_mean"], state["target_std"]
    val = np.flatnonzero(parts == 1)
    of_each = [predict(own, dataset, val, scale) for own in members]
    mean = np.mean(of_each, axis=0)
    calibration = Calibration.of(state)
    expected = Calibration.fit(
        torch.from_numpy(mean), torch.from_numpy(targets[val]),
        spread=torch.from_numpy(np.std(of_each, axis=0, ddof=1)),
    )  # fmt: skip
    torch.testing.assert_close(calibration.slope, expected.slope)
    torch.testing.assert_close(calibration.errors[0], expected.errors[0])
    trained = open_run(ensemble)
    genotypes = [dataset[int(sample)].genes for sample in val]
    known = trained.graph.num_genes
    row, own = next((n, own) for n, own in enumerate(genotypes) if max(own) < known)
    found = trained.predictions(trained.roots(np.array([own], dtype=np.int64)))
    np.testing.assert_allclose(
        found.values[0], calibration.apply(torch.from_numpy(mean[row])), rtol=1e-5
    )
    spread = calibration.slope.numpy() * np.std([own[row] for own in of_each], axis=0, ddof=1)
    np.testing.assert_allclose(found.spread[0], spread, rtol=1e-3, atol=1e-7)


def test_a_stopped_ensemble_goes_on(
    tiny_build: Path, ensemble: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epoch, trained = loop._Training._epoch, []

    def dies(self: loop._Training, advance: Any) -> Any:
        trained.append(self.config.seed)
        if len(trained) == 5:  # in the second member
            raise KeyboardInterrupt
        return epoch(self, advance)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Training, "_epoch", dies)
        with pytest.raises(KeyboardInterrupt):
            train.run(tiny_build, tmp_path, settings())
    assert not (tmp_path / "checkpoint.pt").exists()
    with pytest.raises(InputError, match="holds a run"):
        train.run(tiny_build, tmp_path, settings())
    train.run(tiny_build, tmp_path, settings(), resume=True)
    whole, parts = checkpoint.load(ensemble), checkpoint.load(tmp_path)
    assert checkpoint.digest_of(whole) == checkpoint.digest_of(parts)


def test_members_in_processes_of_their_own_are_the_same(
    tiny_build: Path, ensemble: Path, tmp_path: Path
) -> None:
    train.run(tiny_build, tmp_path, settings(), jobs=2)
    whole, parts = checkpoint.load(ensemble), checkpoint.load(tmp_path)
    assert checkpoint.digest_of(whole) == checkpoint.digest_of(parts)


def test_more_members_join_a_run(tiny_build: Path, tmp_path: Path) -> None:
    train.run(tiny_build, tmp_path, settings(members=2))
    before = (member_folder(tmp_path, 0) / "checkpoint.pt").stat().st_mtime_ns
    first = checkpoint.load(tmp_path)["model"]
    record = train.run(tiny_build, tmp_path, settings(members=3), resume=True)
    assert [member["seed"] for member in record["members"]] == [5, 6, 7]
    assert torch.equal(checkpoint.load(tmp_path)["model"]["bias"], first["bias"])
    assert (member_folder(tmp_path, 0) / "checkpoint.pt").stat().st_mtime_ns == before


def test_torchrun_trains_one(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="torchrun trains one network with all processes"):
        train.run(tiny_build, tmp_path, settings())


@pytest.fixture(scope="module")
def evaluated(tiny_build: Path, ensemble: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its evaluation, and its report."""
    out = tmp_path_factory.mktemp("evaluated")
    baselines.run(tiny_build, out / "baselines.json", settings())
    evaluate.run(tiny_build, ensemble, out / "baselines.json", out)
    return out


def test_evaluation_has_its_members_and_their_spread(evaluated: Path) -> None:
    metrics = json.loads((evaluated / "metrics.json").read_text())
    assert metrics["members"] == 3
    table = pq.read_table(evaluated / "predictions.parquet")
    assert min(table["fitness_spread"].to_pylist()) > 0


def test_predict_gives_mean_and_spread(tiny_build: Path, ensemble: Path, tmp_path: Path) -> None:
    ids = MutantStateDataset(DataLayout(tiny_build).store).gene_ids
    given = f"{ids[0]}; {ids[0]},{ids[1]}"
    tables = []
    for path in (ensemble, *(member_folder(ensemble, n) for n in range(3))):
        out = tmp_path / f"{path.name}.parquet"
        cli.main(["predict", "--checkpoint", str(path), "--genotypes", given, "--subsystems",
                  "--out", str(out)])  # fmt: skip
        tables.append(
            (pl.read_parquet(out), pl.read_parquet(tmp_path / f"{path.name}.subsystems.parquet"))
        )
    (table, states), *alone = tables
    assert "fitness_spread" in table.columns
    assert "fitness_spread" not in alone[0][0].columns
    own = [rows["state_change"].to_numpy() for _, rows in alone]
    np.testing.assert_allclose(states["state_change"], np.mean(own, axis=0), rtol=1e-6)
    heads = [rows["fitness_predicted"].to_numpy() for _, rows in alone]
    np.testing.assert_allclose(states["fitness_predicted"], np.mean(heads, axis=0), rtol=1e-6)
    assert (table["fitness_low"] < table["fitness_predicted"]).all()


def test_a_screen_is_that_of_the_mean(ensemble: Path, tmp_path: Path) -> None:
    given = ["--checkpoint", str(ensemble), "--order", "2", "--score", "additive"]
    cli.main(["screen", *given, "--out", str(tmp_path)])
    rows = pl.read_parquet(tmp_path / "genotypes.parquet" / "*.parquet")
    trained = open_run(ensemble)
    ids = {name: n for n, name in enumerate(trained.graph.gene_ids)}
    pairs = np.array([[ids[a], ids[b]] for a, b in rows.select("gene_1", "gene_2").iter_rows()])

    def heads(genotypes: np.ndarray) -> np.ndarray:
        units = trained.in_units(trained.roots(genotypes))
        values: np.ndarray = trained.calibration.apply(units)[..., 0].numpy()
        return values

    wild, single = heads(np.zeros((1, 0), int)), heads(np.arange(len(ids))[:, None])
    both = heads(pairs)
    found = both + wild - single[:, pairs[:, 0]] - single[:, pairs[:, 1]]
    near = {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(rows["prediction"], both.mean(0), **near)
    np.testing.assert_allclose(rows["interaction"], found.mean(0), **near)
    np.testing.assert_allclose(rows["prediction_spread"], both.std(0, ddof=1), **near)
    np.testing.assert_allclose(rows["interaction_spread"], found.std(0, ddof=1), **near)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["members"] == 3
    assert summary["interval"] is None  # five validation samples are too few for 90 %
    assert "low" not in pl.read_parquet(tmp_path / "top.parquet").columns


def test_the_strongest_of_a_screen_have_intervals(ensemble: Path, tmp_path: Path) -> None:
    state = checkpoint.load(ensemble)
    errors = torch.linspace(0, 0.1, 100, dtype=torch.float64)
    state["calibration"] |= {"errors": [errors], "per_spread": torch.tensor([50.0]).double()}
    state["seen_genes"] = torch.ones_like(state["seen_genes"])
    state["seen_genes"][1] = 0
    checkpoint.save(state, tmp_path / "checkpoint.pt")
    given = ["--checkpoint", str(tmp_path), "--order", "2", "--score", "additive"]
    cli.main(["screen", *given, "--out", str(tmp_path / "screen")])
    summary = json.loads((tmp_path / "screen" / "summary.json").read_text())
    width = float(errors[90])  # the 91st of 100
    assert summary["interval"] == {
        "level": 0.9, "half_width": pytest.approx(width), "per_spread": 50.0,
    }  # fmt: skip
    top = pl.read_parquet(tmp_path / "screen" / "top.parquet")
    half = width * (1 + 50 * top["prediction_spread"].to_numpy())
    np.testing.assert_allclose(top["high"], top["prediction"] + half, rtol=1e-5)
    np.testing.assert_allclose(top["low"], top["prediction"] - half, rtol=1e-4, atol=1e-6)
    (unseen,) = summary["unseen_genes"]
    marked = [unseen in (row["gene_1"], row["gene_2"]) for row in top.to_dicts()]
    assert [row["unseen"] == unseen for row in top.to_dicts()] == marked
    assert any(marked)


def test_explain_judges_the_mean(tiny_build: Path, ensemble: Path, tmp_path: Path) -> None:
    given = [
        "--data",
        str(tiny_build),
        "--min-samples",
        "4",
        "--permutations",
        "9",
        "--part",
        "val",
    ]
    tables = []
    for path in (ensemble, *(member_folder(ensemble, n) for n in range(3))):
        out = tmp_path / path.name
        cli.main(["explain", "--checkpoint", str(path), "--out", str(out), *given])
        tables.append(pl.read_parquet(out / "importance.parquet"))
    together, *alone = tables
    assert alone[0]["ablation_spread"].is_null().all()
    judged = together.filter(pl.col("ablation").is_not_null())
    assert len(judged)
    assert judged["gradient_input_spread"].is_not_null().all()


def test_a_report_tells_the_members(tiny_build: Path, ensemble: Path, tmp_path: Path) -> None:
    # As `dcell train` leaves a folder: the training and its evaluation in one.
    out = tmp_path / "run"
    train.run(tiny_build, out, settings(members=2, epochs=1))
    baselines.run(tiny_build, out / "baselines.json", settings())
    evaluate.run(tiny_build, out, out / "baselines.json", out)
    report.run(tiny_build, out, out / "report.html")
    page = (out / "report.html").read_text()
    assert "An ensemble of 2 networks that differ in their seed (5, 6)" in page
    assert ensemble.is_dir()


def test_terms_of_an_ensemble_are_not_exported(
    ensemble: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["export", "--checkpoint", str(ensemble), "--out", str(tmp_path / "x.npz")])
    assert "an ensemble of 3 members; a file holds the terms of one" in capsys.readouterr().err


def test_members_of_other_shapes_are_refused(ensemble: Path, tmp_path: Path) -> None:
    state = checkpoint.load(ensemble)
    state["members"][1]["bias"] = state["members"][1]["bias"][1:].clone()
    checkpoint.save(state, tmp_path / "checkpoint.pt")
    with pytest.raises(ArtefactError, match="'bias' has shape"):
        open_run(tmp_path / "checkpoint.pt")
    del state["members"]
    checkpoint.save(state, tmp_path / "checkpoint.pt")
    with pytest.raises(ArtefactError, match="no entry 'members'"):
        checkpoint.load(tmp_path / "checkpoint.pt")


def test_seeds_go_on_from_zero(tiny_build: Path, tmp_path: Path) -> None:
    last = settings(seed=2**32 - 1, members=2, epochs=1)
    record = train.run(tiny_build, tmp_path, last)
    assert [member["seed"] for member in record["members"]] == [2**32 - 1, 0]
    assert dataclasses.asdict(last.train)["members"] == 2
