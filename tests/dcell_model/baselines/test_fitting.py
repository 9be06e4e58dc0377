"""The baselines find what they can find, and only that."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from data_specs.errors import InputError
from data_specs.parameters.sections import Baselines
from data_specs.tables import EXCLUDED, PARTS, TEST, TRAIN, VAL
from dcell_model.baselines import BASELINES, fit_baselines
from dcell_model.checkpoint.calibration import Calibration
from dcell_model.scores import scores

GENES = 40
QUICK = Baselines(trials=2, mlp_epochs=15, mlp_hidden=32, fm_sweeps=10)


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


def test_product_of_two_genes_needs_pairs() -> None:
    """The sign of a product: no gene has an effect of its own."""
    genotypes, genes, parts, _ = draw()
    sign = np.where(np.arange(GENES) % 2, 1.0, -1.0)
    targets = sign[genes].prod(axis=1)
    fitted = fit_baselines(genotypes, targets, parts, QUICK)
    assert pearson(fitted["ridge"].predictions, targets, parts) < 0.3
    for name in ("fm", "mlp"):
        assert pearson(fitted[name].predictions, targets, parts) > 0.9, name


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
        for name in ("ridge", "fm", "mlp"):
            predictions = fitted[name].predictions[:, column : column + 1]
            assert pearson(predictions, truth[:, column], parts) > 0.9, name
    assert len(fitted["ridge"].chosen["alpha"]) == 2


def test_seed_and_global_state() -> None:
    genotypes, genes, parts, random = draw(300)
    targets = random.normal(size=GENES)[genes].sum(axis=1)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    first = fit_baselines(genotypes, targets, parts, QUICK)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    torch.manual_seed(7)
    again = fit_baselines(genotypes, targets, parts, QUICK)
    for name in BASELINES:
        np.testing.assert_array_equal(first[name].predictions, again[name].predictions)
        assert first[name].chosen == again[name].chosen
    other = fit_baselines(genotypes, targets, parts, dataclasses.replace(QUICK, seed=1))
    for name in ("fm", "mlp"):
        assert (first[name].predictions != other[name].predictions).any()


def test_the_record_says_among_how_many_was_chosen() -> None:
    genotypes, genes, parts, random = draw(200)
    fitted = fit_baselines(genotypes, random.normal(size=len(genes)), parts, QUICK)
    assert fitted["ridge"].chosen["trials"] == len(QUICK.ridge_alphas)
    for name in ("fm", "mlp"):
        assert fitted[name].chosen["trials"] == 2
    assert fitted["mlp"].chosen.keys() >= {"rate", "decay", "dropout", "hidden", "epoch"}
    assert fitted["fm"].chosen.keys() >= {"rank", "penalty", "factor_penalty", "sweep"}


@pytest.mark.parametrize("name", ["fm", "mlp"])
def test_more_trials_never_raise_the_error_that_they_are_chosen_by(name: str) -> None:
    """As long as none is given up early, so with a single round."""
    genotypes, genes, parts, _ = draw(400)
    targets = np.sign(genes - GENES / 2).prod(axis=1)
    errors = []
    for trials in (1, 2, 4, 8):
        config = dataclasses.replace(QUICK, trials=trials, mlp_epochs=1, fm_sweeps=1)
        predicted = fit_baselines(genotypes, targets, parts, config, [name], calibrate=False)[
            name
        ].predictions
        errors.append(np.square(predicted[parts == VAL, 0] - targets[parts == VAL]).mean())
    assert errors == sorted(errors, reverse=True)


def test_predictions_are_drawn_to_the_mean_as_the_validation_part_says() -> None:
    """Those of noise to a flat one: no model is worse than the mean by what it imagines."""
    genotypes, genes, parts, random = draw(800)
    targets = random.normal(size=len(genes))
    targets[parts == VAL] = random.normal(size=int((parts == VAL).sum()))
    weakest = dataclasses.replace(QUICK, ridge_alphas=(0.01,))
    raw = fit_baselines(genotypes, targets, parts, weakest, calibrate=False)
    fitted = fit_baselines(genotypes, targets, parts, weakest)
    val = torch.from_numpy(parts == VAL)
    measured = torch.from_numpy(targets)[val, None]
    mean = torch.from_numpy(targets)[torch.from_numpy(parts == TRAIN)].mean().reshape(1)
    for name, own in raw.items():
        predicted = torch.from_numpy(own.predictions)
        line = Calibration.fit(predicted[val], measured, centre=mean)
        np.testing.assert_allclose(fitted[name].predictions, line.apply(predicted), rtol=1e-12)
    np.testing.assert_array_equal(fitted["mean"].predictions, raw["mean"].predictions)
    width = {name: own["ridge"].predictions.std() for name, own in (("raw", raw), ("now", fitted))}
    assert width["now"] < 0.8 * width["raw"]
    test = parts == TEST
    assert scores(fitted["ridge"].predictions[test, 0], targets[test])["r2"] > -0.1  # type: ignore[operator]


def test_without_a_validation_part_nothing_is_drawn_to_a_line() -> None:
    genotypes, genes, parts, random = draw(200)
    parts[parts == VAL] = TRAIN
    targets = random.normal(size=len(genes))
    raw = fit_baselines(genotypes, targets, parts, QUICK, calibrate=False)
    for name, own in fit_baselines(genotypes, targets, parts, QUICK).items():
        np.testing.assert_array_equal(own.predictions, raw[name].predictions)
