"""The baselines find what they can find, and only that."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from data_specs.errors import ArtefactError, InputError
from data_specs.layout import DataLayout
from data_specs.parameters import Baselines, resolve
from data_specs.tables import EXCLUDED, PARTS, TEST, TRAIN, VAL
from dcell_model.baselines import fit_baselines, multi_hot, read_predictions, read_samples, run
from dcell_model.dataset import MutantStateDataset
from dcell_model.scores import part_scores, scores
from tests.conftest import tiny_parameters

GENES = 40
QUICK = Baselines(mlp_epochs=15, mlp_hidden=32)


def draw(
    samples: int = 1500, deleted: int = 2
) -> tuple[csr_array, np.ndarray, np.ndarray, np.random.Generator]:
    """Random genotypes [N, G], the genes of each [N, deleted], and a part of each [N]."""
    random = np.random.default_rng(0)
    genes = np.sort(random.permuted(np.tile(np.arange(GENES), (samples, 1)), axis=1)[:, :deleted])
    offsets = deleted * np.arange(samples + 1)
    genotypes = csr_array(
        (np.ones(genes.size, np.float32), genes.reshape(-1).astype(np.int32), offsets),
        shape=(samples, GENES),
    )
    parts = random.choice(len(PARTS), samples, p=[0.7, 0.1, 0.15, 0.05])
    return genotypes, genes, parts, random


def pearson(predictions: np.ndarray, targets: np.ndarray, parts: np.ndarray) -> float:
    test = parts == TEST
    return scores(predictions[test, 0], targets[test])["pearson"] or 0.0


def test_without_validation_part() -> None:
    genotypes, genes, parts, _ = draw(60)
    parts[parts == VAL] = TRAIN
    fitted = fit_baselines(genotypes, genes[:, 0].astype(float), parts, QUICK)
    assert all(np.isfinite(baseline.predictions).all() for baseline in fitted.values())


def test_nothing_to_learn_from() -> None:
    genotypes, genes, parts, _ = draw(60)
    targets = np.stack([genes[:, 0], np.where(parts == TRAIN, np.nan, 1.0)], axis=1)
    with pytest.raises(InputError, match=r"phenotype 2 of 2 .* training part"):
        fit_baselines(genotypes, targets, parts, QUICK)


def test_constant_targets() -> None:
    genotypes, _, parts, _ = draw(60)
    for baseline in fit_baselines(genotypes, np.full(60, 3.0), parts, QUICK).values():
        np.testing.assert_allclose(baseline.predictions, 3.0, atol=1.0)


def test_additive_truth() -> None:
    genotypes, genes, parts, random = draw()
    targets = random.normal(size=GENES)[genes].sum(axis=1) + random.normal(0, 0.05, len(genes))
    fitted = fit_baselines(genotypes, targets, parts, QUICK)
    assert pearson(fitted["ridge"].predictions, targets, parts) > 0.99
    assert fitted["ridge"].chosen["alpha"] == min(QUICK.ridge_alphas)
    mean = targets[parts == TRAIN].mean()
    np.testing.assert_allclose(fitted["mean"].predictions, mean)


def test_noise_takes_the_strongest_penalty() -> None:
    genotypes, genes, parts, random = draw()
    fitted = fit_baselines(genotypes, random.normal(size=len(genes)), parts, QUICK)
    assert fitted["ridge"].chosen["alpha"] == max(QUICK.ridge_alphas)


def test_product_of_two_genes_needs_the_network() -> None:
    """The sign of a product: no gene has an effect of its own."""
    genotypes, genes, parts, _ = draw()
    sign = np.where(np.arange(GENES) % 2, 1.0, -1.0)
    targets = sign[genes].prod(axis=1)
    fitted = fit_baselines(genotypes, targets, parts, QUICK)
    assert pearson(fitted["ridge"].predictions, targets, parts) < 0.3
    assert pearson(fitted["mlp"].predictions, targets, parts) > 0.9


def test_held_out_targets_change_no_prediction() -> None:
    genotypes, genes, parts, random = draw(300)
    targets = random.normal(size=GENES)[genes].sum(axis=1)
    held_out = np.isin(parts, [TEST, EXCLUDED])
    before = fit_baselines(genotypes, targets, parts, QUICK)
    for other in (np.where(held_out, 99.0, targets), np.where(held_out, np.nan, targets)):
        after = fit_baselines(genotypes, other, parts, QUICK)
        for name, baseline in before.items():
            np.testing.assert_array_equal(baseline.predictions, after[name].predictions)


def test_several_phenotypes_with_gaps() -> None:
    genotypes, genes, parts, random = draw()
    effects = random.normal(size=(GENES, 2))
    truth = effects[genes].sum(axis=1)
    gaps = random.random(truth.shape) < 0.3
    fitted = fit_baselines(genotypes, np.where(gaps, np.nan, truth), parts, QUICK)
    for column in range(2):
        for name in ("ridge", "mlp"):
            predictions = fitted[name].predictions[:, column : column + 1]
            assert pearson(predictions, truth[:, column], parts) > 0.9, name
    assert len(fitted["ridge"].chosen["alpha"]) == 2


def test_seed_and_global_state() -> None:
    genotypes, genes, parts, random = draw(300)
    targets = random.normal(size=GENES)[genes].sum(axis=1)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    first = fit_baselines(genotypes, targets, parts, QUICK)["mlp"].predictions
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    again = fit_baselines(genotypes, targets, parts, QUICK)["mlp"].predictions
    np.testing.assert_array_equal(first, again)
    other = dataclasses.replace(QUICK, seed=1)
    assert (fit_baselines(genotypes, targets, parts, other)["mlp"].predictions != first).any()


def test_multi_hot(tiny_build: Path) -> None:
    dataset = MutantStateDataset(tiny_build / "store")
    genotypes = multi_hot(dataset)
    assert genotypes.shape == (len(dataset), len(dataset.gene_ids))
    batch = dataset.batch(range(len(dataset)))
    expected = np.zeros(genotypes.shape)
    expected[batch.deleted_sample, batch.deleted_gene] = 1
    np.testing.assert_array_equal(genotypes.toarray(), expected)


def test_run(tiny_build: Path, tmp_path: Path) -> None:
    parameters = resolve(tiny_parameters(baselines={"mlp_epochs": 2}))
    result = run(tiny_build, tmp_path / "baselines.json", parameters)
    written = json.loads((tmp_path / "baselines.json").read_text())
    assert written == result
    assert list(written) == ["mean", "ridge", "mlp"]
    assert written["mean"]["test"]["pearson"] is None
    assert written["ridge"]["alpha"] in parameters.baselines.ridge_alphas
    assert all("val" in scored and "seconds" in scored for scored in written.values())
    dataset, targets, parts = read_samples(DataLayout(tiny_build), parameters)
    used = np.flatnonzero(parts != EXCLUDED)
    found = read_predictions(tmp_path / "baselines.json", used, dataset.phenotypes)
    for name, predicted in found.items():
        assert part_scores(predicted, targets[used], parts[used], dataset.phenotypes).items() <= (
            result[name].items()
        )
    with pytest.raises(ArtefactError, match="fitted on other samples"):
        read_predictions(tmp_path / "baselines.json", used[1:], dataset.phenotypes)
    with pytest.raises(ArtefactError, match="Fit the baselines again"):
        read_predictions(tmp_path / "baselines.json", used, ["viability"])
