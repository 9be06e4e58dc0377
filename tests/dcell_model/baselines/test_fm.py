"""The factorization machine: the model of the paper, and a fit that finds it."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from data_specs.parameters.sections import Baselines
from data_specs.tables import TEST, TRAIN, VAL
from dcell_model.baselines import fit_baselines
from dcell_model.baselines.fm import FactorizationMachine
from tests.conftest import examples

CONFIG = Baselines(trials=4)


def hot(genotypes: list[tuple[int, ...]], genes: int) -> csr_array:
    offsets = np.cumsum([0, *map(len, genotypes)])
    columns = np.fromiter(itertools.chain(*genotypes), np.int32)
    return csr_array(
        (np.ones(len(columns), np.float32), columns, offsets), shape=(len(genotypes), genes)
    )


def machine(genes: int, rank: int, seed: int = 0) -> FactorizationMachine:
    random = np.random.default_rng(seed)
    return FactorizationMachine(
        float(random.normal()), random.normal(size=genes), random.normal(size=(genes, rank))
    )


def by_pairs(model: FactorizationMachine, genes: tuple[int, ...]) -> float:
    """The equation as it stands in the paper: a loop over genes, and one over pairs."""
    total = model.bias
    for gene in genes:
        total += model.effects[gene]
    for a, b in itertools.combinations(genes, 2):
        for factor in range(model.factors.shape[1]):
            total += model.factors[a, factor] * model.factors[b, factor]
    return float(total)


def parts_of(random: np.random.Generator, samples: int) -> np.ndarray:
    return random.choice([TRAIN, VAL, TEST], samples, p=[0.8, 0.1, 0.1])


def r(predicted: np.ndarray, measured: np.ndarray) -> float:
    return float(np.corrcoef(predicted, measured)[0, 1])


def test_of_no_gene_is_the_bias() -> None:
    model = machine(3, 2)
    np.testing.assert_array_equal(model.predict(hot([(), ()], 3)), [model.bias] * 2)


@given(st.lists(st.sets(st.integers(0, 6)), min_size=1, max_size=5), st.integers(1, 4))
@settings(max_examples=examples(50))
def test_sums_equal_the_loop_over_pairs(genotypes: list[set[int]], rank: int) -> None:
    model, sets = machine(7, rank), [tuple(sorted(genes)) for genes in genotypes]
    expected = [by_pairs(model, genes) for genes in sets]
    np.testing.assert_allclose(model.predict(hot(sets, 7)), expected, rtol=1e-12, atol=1e-12)


def test_hundreds_of_deleted_genes() -> None:
    model = machine(400, 3)
    many = tuple(range(350))
    np.testing.assert_allclose(model.predict(hot([many], 400)), [by_pairs(model, many)])


def test_a_sweep_is_a_step_of_each_gene_to_its_best() -> None:
    """After it the last gene's gradient of the penalised squared error, by autograd, is 0."""
    random = np.random.default_rng(0)
    sets = [tuple(np.flatnonzero(random.random(5) < 0.5)) for _ in range(60)]
    genotypes, targets = hot(sets, 5), random.normal(size=60)
    model = machine(5, 2)
    model.sweep(genotypes, targets, 2.0, 3.0)
    last = int(np.argsort(-np.diff(genotypes.tocsc().indptr), kind="stable")[-1])
    x = torch.from_numpy(genotypes.toarray()).double()
    effects, factors = (
        torch.from_numpy(own).requires_grad_() for own in (model.effects, model.factors)
    )
    sums = x @ factors
    pairs = (sums.square().sum(1) - x @ factors.square().sum(1)) / 2
    errors = torch.from_numpy(targets) - model.bias - x @ effects - pairs
    loss = errors.square().sum() + 2 * effects.square().sum() + 3 * factors.square().sum()
    of_effects, of_factors = torch.autograd.grad(loss, [effects, factors])
    assert abs(float(of_effects[last])) < 1e-9
    assert float(of_factors[last].abs().max()) < 1e-9
    assert float(of_factors.abs().max()) > 1e-3  # others have moved on since


def test_penalised_error_never_rises() -> None:
    random = np.random.default_rng(1)
    sets = [tuple(np.flatnonzero(random.random(12) < 0.3)) for _ in range(80)]
    genotypes, targets = hot(sets, 12), random.normal(size=80)
    model, errors = machine(12, 3), []
    for _ in range(15):
        model.sweep(genotypes, targets, 1.0, 2.0)
        errors.append(
            np.square(model.predict(genotypes) - targets).sum()
            + np.square(model.effects).sum() + 2 * np.square(model.factors).sum()
        )  # fmt: skip
    assert (np.diff(errors) <= 1e-9).all()
    assert errors[-1] < errors[0]


def test_finds_a_planted_interaction_of_rank_two() -> None:
    random = np.random.default_rng(0)
    genes, samples = 30, 2500
    truth = machine(genes, 2)
    sets = [tuple(sorted(random.choice(genes, 3, replace=False))) for _ in range(samples)]
    genotypes, parts = hot(sets, genes), parts_of(random, samples)
    exact = truth.predict(genotypes)
    measured = exact + random.normal(0, 0.1, samples)
    fitted = fit_baselines(genotypes, measured, parts, CONFIG, ["fm", "ridge"])
    test = parts == TEST
    assert r(fitted["fm"].predictions[test, 0], exact[test]) > 0.99
    assert r(fitted["ridge"].predictions[test, 0], exact[test]) < 0.8
    chosen = fitted["fm"].chosen
    assert fitted["fm"].parameters == 1 + genes * (1 + chosen["rank"])


def test_of_noise_it_predicts_little_more_than_the_mean() -> None:
    """Nearly every pair of genes is seen once: what is fitted to it must be given up."""
    random = np.random.default_rng(0)
    sets = [tuple(sorted(random.choice(100, 2, replace=False))) for _ in range(3000)]
    genotypes, parts = hot(sets, 100), parts_of(random, 3000)
    noise, test = random.normal(size=3000), parts == TEST
    fitted = fit_baselines(genotypes, noise, parts, Baselines(trials=100), ["fm"])["fm"]
    assert fitted.chosen["factor_penalty"] >= 10
    assert np.square(fitted.predictions[test, 0] - noise[test]).mean() < 1.1 * noise[test].var()


def test_phenotypes_with_gaps_are_fitted_apart() -> None:
    """What one phenotype lacks, and what another is, changes no prediction of the first."""
    random = np.random.default_rng(0)
    sets = [tuple(sorted(random.choice(20, 3, replace=False))) for _ in range(800)]
    genotypes, parts = hot(sets, 20), parts_of(random, 800)
    both = np.stack([machine(20, 2, seed).predict(genotypes) for seed in (0, 1)], axis=1)
    gappy = np.where(random.random(both.shape) < 0.3, np.nan, both)
    fitted = fit_baselines(genotypes, gappy, parts, CONFIG, ["fm"])["fm"]
    assert np.isfinite(fitted.predictions).all()
    for column in range(2):
        known = np.isnan(gappy[:, column])  # not seen in training
        assert r(fitted.predictions[known, column], both[known, column]) > 0.95
    assert len(fitted.chosen["rank"]) == len(fitted.chosen["sweep"]) == 2
    alone = fit_baselines(genotypes, gappy[:, 0], parts, CONFIG, ["fm"])["fm"]
    np.testing.assert_allclose(alone.predictions[:, 0], fitted.predictions[:, 0])


def test_genes_and_genotypes_that_training_has_not() -> None:
    """A gene of held-out genotypes only has no effect; a genotype without genes has the bias."""
    random = np.random.default_rng(0)
    sets = [tuple(sorted(random.choice(10, 2, replace=False))) for _ in range(300)]
    parts = parts_of(random, 300)
    sets += [(), (3,), (3, 10), tuple(range(11))]
    parts = np.append(parts, [TEST] * 4)
    targets = np.append(random.normal(size=300), [np.nan] * 4)
    fitted = fit_baselines(hot(sets, 11), targets, parts, CONFIG, ["fm"])["fm"].predictions
    assert np.isfinite(fitted).all()
    assert fitted[301] == fitted[302]


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_constant_targets_are_predicted(value: float) -> None:
    sets = [(0, 1), (1, 2), (0, 2), (), (0,)] * 8
    parts = np.tile([TRAIN, TRAIN, VAL, TEST, TRAIN], 8)
    fitted = fit_baselines(hot(sets, 3), np.full(40, value), parts, CONFIG, ["fm"])["fm"]
    np.testing.assert_allclose(fitted.predictions, value, atol=0.02)


def test_numbers_other_than_one_are_factors() -> None:
    """A gene with half an effect counts half in every term; a sweep is still the best step."""
    random = np.random.default_rng(1)
    x = np.where(random.random((60, 5)) < 0.5, random.choice([0.5, 0.75, 1.0], (60, 5)), 0.0)
    model, genotypes = machine(5, 2), csr_array(x.astype(np.float32))
    pairs = itertools.combinations(range(5), 2)
    expected = model.bias + x @ model.effects
    for a, b in pairs:
        expected += x[:, a] * x[:, b] * float(model.factors[a] @ model.factors[b])
    np.testing.assert_allclose(model.predict(genotypes), expected, rtol=1e-6, atol=1e-9)
    targets = random.normal(size=60)
    errors = [float(np.square(model.predict(genotypes) - targets).sum())]
    for _ in range(4):
        model.sweep(genotypes, targets, 1e-6, 1e-6)
        errors.append(float(np.square(model.predict(genotypes) - targets).sum()))
    assert errors == sorted(errors, reverse=True)
