"""Scores of terms: by hand from the reference engine's outputs, and where the truth is known."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from data_specs.parameters.sections import resolve
from dcell_model import train
from dcell_model.bench.explain import planted_terms, recovery
from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.engines import reference
from dcell_model.explain import command as explain
from dcell_model.explain.importance import Settings, importances, reasons, table_of
from dcell_model.explain.states import TouchedStates
from dcell_model.scores import scores
from tests.dcell_model.explain.test_states import plain, small

SCALE = (0.8, 0.3)


def judged(seed: int, settings: Settings, terms: list[int] | None = None) -> pa.Table:
    graph, model, _ = small(seed)
    batch, targets = many()
    states = TouchedStates.of(model, encode_genotypes(graph, batch))
    chosen = range(graph.num_terms) if terms is None else terms
    return table_of(list(importances([states], targets, SCALE, chosen, settings, phenotype=1)))


def many() -> tuple[list[list[int]], np.ndarray]:
    """The wild type and 40 genotypes."""
    random = np.random.default_rng(5)
    genotypes = [sorted(random.choice(15, 3, replace=False).tolist()) for _ in range(40)]
    return [[], *genotypes], random.normal(0.8, 0.3, size=41)


@pytest.mark.parametrize("seed", [0, 1])
def test_scores_by_hand(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, model, _ = small(seed)
    genotypes, targets = many()
    batch = encode_genotypes(graph, genotypes)
    rows = judged(seed, Settings(permutations=9, min_samples=4)).to_pylist()
    touched = TouchedStates.of(model, batch).rows
    outputs, heads = reference.outputs_and_heads(model, batch)
    for output in outputs:
        output.retain_grad()
    heads[0][:, 1].sum().backward()

    def in_units(head: torch.Tensor) -> np.ndarray:
        values: np.ndarray = head[:, 1].detach().numpy() * SCALE[1] + SCALE[0]
        return values

    for term, row in enumerate(rows):
        own = touched[term]
        assert row["samples"] == len(own)
        if len(own) < 4:
            assert row["ablation"] is None
            assert row["reason"] == "fewer than 4 samples"
            continue
        pearson = scores(in_units(heads[term])[own], targets[own])["pearson"]
        assert row["head_pearson"] == pytest.approx(pearson)
        with torch.no_grad():
            _, held = plain(model, batch, monkeypatch, term)
        error = np.square(in_units(heads[0]) - targets)[own].mean()
        without = np.square(in_units(held[0]) - targets)[own].mean()
        assert row["ablation"] == pytest.approx(without - error, rel=1e-9, abs=1e-12)
        gradient, output = outputs[term].grad, outputs[term].detach()
        assert gradient is not None
        product = (gradient * (output - output[0])).sum(1)[own] * SCALE[1]
        assert row["gradient_input"] == pytest.approx(float(product.abs().mean()), rel=1e-9)
        assert row["rlipp_gain"] == row["rlipp_own"] - row["rlipp_inputs"]
        assert all(0.1 <= row[f"{name}_p"] <= row[f"{name}_fdr"] <= 1
                   for name in ("rlipp", "head_pearson", "ablation", "gradient_input"))  # fmt: skip


def test_a_term_has_the_same_numbers_whoever_else_is_asked_for() -> None:
    settings = Settings(permutations=19, min_samples=5)
    every, few = judged(0, settings), judged(0, settings, [7, 3])
    keep = [name for name in every.column_names if not name.endswith("_fdr")]
    assert few.select(keep).equals(every.take([3, 7]).select(keep))
    assert not judged(0, Settings(permutations=19, min_samples=5, seed=1)).equals(every)


def test_all_left_out() -> None:
    table = judged(0, Settings(permutations=3, min_samples=1000))
    assert reasons(table) == {"fewer than 1000 samples": 12}
    assert table["ablation_fdr"].null_count == 12


SIMULATED = {"terms": 80, "genes": 150, "annotations": 900, "queries": 30, "arrays": 90,
             "triples": 2600, "noise": 0.01}  # fmt: skip


@pytest.mark.slow
def test_planted_subsystems_come_out_on_top(tmp_path: Path) -> None:
    """Ablation and gradient × input find them; RLIPP and the heads do not (how-to/explain.md)."""
    from pipeline.build import build

    published = {"lr": 5e-3, "weight_decay": 1e-2, "aux_reduction": "sum"}
    parameters = resolve({
        "simulate": SIMULATED, "train": {"epochs": 20, **published},
        "model": {"norm_order": "act_norm"},
    })  # fmt: skip
    data = build(parameters, tmp_path / "data").root
    train.run(data, tmp_path / "run", parameters)
    explain.run(tmp_path / "run" / "checkpoint.pt", data, tmp_path / "explained",
                settings=Settings(permutations=100))  # fmt: skip
    table = pq.read_table(tmp_path / "explained" / "importance.parquet")
    found = recovery(table, planted_terms(data))
    assert found["auc"]["ablation"] > 0.7
    assert found["auc"]["gradient_input"] > 0.7
    assert found["auc"]["samples"] < 0.6  # not because their genes are deleted more often
    assert max(found["auc"]["rlipp"], found["auc"]["head_pearson"]) < 0.6
    assert found["significant"]["ablation"][0] == found["planted"]
