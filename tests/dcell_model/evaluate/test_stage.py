"""Stage `evaluate`: hits below a threshold, and the interval of the test part."""

from pathlib import Path

import numpy as np
import polars as pl

from data_specs.layout import DataLayout
from data_specs.parameters.sections import resolve
from data_specs.store import alleles_of
from data_specs.tables import PARTS
from dcell_model import baselines, train
from dcell_model.data.dataset import MutantStateDataset
from dcell_model.data.targets import read_parts, stored_phenotypes
from dcell_model.evaluate import stage as evaluate
from pipeline.build import build


def test_hits_are_low_and_significant(simulated_build: Path, tmp_path: Path) -> None:
    parameters = resolve({
        "train": {"epochs": 1, "norm_samples": 100}, "model": {"width_min": 2},
        "baselines": {"trials": 1, "mlp_epochs": 1, "fm_sweeps": 1},
        "evaluate": {"hit_below": -0.05, "hit_p_below": 0.2},
    })  # fmt: skip
    out = tmp_path / "run"
    train.run(simulated_build, out, parameters)
    baselines.run(simulated_build, out / "baselines.json", parameters)
    metrics = evaluate.run(simulated_build, out, out / "baselines.json", out, parameters.evaluate)
    layout = DataLayout(simulated_build)
    dataset = MutantStateDataset(layout.store)
    values = stored_phenotypes(dataset, ["interaction", "p_value"])
    score, p = values[read_parts(layout) == PARTS.index("test")].T
    judged = ~np.isnan(score) & ~np.isnan(p)
    lowest, rule = metrics["hits"]
    assert rule["rule"] == "measured below -0.05, p below 0.2"
    assert rule["samples"] == judged.sum()
    assert rule["hits"] == (judged & (score < -0.05) & (p < 0.2)).sum() > 0
    assert lowest["models"].keys() == {"dcell", "mean", "ridge", "fm", "mlp"}
    found = pl.read_parquet(out / "predictions.parquet").filter(pl.col("part") == "test")
    error = (found["interaction_predicted"] - found["interaction_measured"]).abs()
    interval = metrics["interval"]
    assert interval["covered"] == (error <= interval["half_width"]).mean()


def test_predictions_name_the_alleles_that_a_build_kept(tmp_path: Path) -> None:
    small = {"terms": 30, "genes": 40, "annotations": 300, "queries": 6, "arrays": 20,
             "triples": 60}  # fmt: skip
    parameters = resolve({
        "simulate": small, "genotypes": {"alleles": "keep"},
        "train": {"epochs": 1}, "model": {"width_min": 2},
        "baselines": {"trials": 1, "mlp_epochs": 1, "fm_sweeps": 1},
    })  # fmt: skip
    layout, out = build(parameters, tmp_path / "build"), tmp_path / "run"
    train.run(layout.root, out, parameters)
    baselines.run(layout.root, out / "baselines.json", parameters)
    evaluate.run(layout.root, out, out / "baselines.json", out, parameters.evaluate)
    found = pl.read_parquet(out / "predictions.parquet")
    alleles = alleles_of(layout.store)
    assert alleles is not None
    assert found["alleles"].to_list() == [alleles[sample] for sample in found["sample"]]
    assert found["alleles"].str.contains("-").any()
