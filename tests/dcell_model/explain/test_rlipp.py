"""RLIPP: against plain ridge regressions, and on data that are known."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from dcell_model.explain.permutation import permutations
from dcell_model.explain.rlipp import PENALTY, Smoother, ranks, rlipp
from dcell_model.scores import scores


def halves(n: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(9).permutation(n) < n // 2)


@pytest.mark.parametrize("features", [3, 80])  # the normal equations, and their dual
def test_each_half_is_predicted_by_the_other(features: int) -> None:
    random = np.random.default_rng(0)
    x, y, half = random.normal(size=(41, features)), random.normal(size=(41, 2)), halves(41)
    found = Smoother(torch.from_numpy(x), half)(torch.from_numpy(y)).numpy()
    for fit in (half.numpy(), ~half.numpy()):
        size = np.square(x[fit] - x[fit].mean(0)).sum(1).mean()
        plain = Ridge(alpha=PENALTY * size).fit(x[fit], y[fit])
        np.testing.assert_allclose(found[~fit], plain.predict(x[~fit]), rtol=1e-9)


def test_what_is_scored_was_not_fitted() -> None:
    """Other phenotypes in one half change only what is predicted for the other."""
    random = np.random.default_rng(0)
    x, y, half = random.normal(size=(30, 4)), random.normal(size=(30, 1)), halves(30)
    smooth = Smoother(torch.from_numpy(x), half)
    before = smooth(torch.from_numpy(y))
    changed = y.copy()
    changed[half.numpy()] += 1 + random.normal(size=(15, 1))
    after = smooth(torch.from_numpy(changed))
    assert torch.equal(before[half], after[half])
    assert not torch.isclose(before[~half], after[~half]).any()


def test_ranks_share_ties() -> None:
    values = torch.tensor([[3.0, 1.0], [1.0, 1.0], [3.0, 1.0], [2.0, 0.0]])
    assert ranks(values).tolist() == [[3.5, 3.0], [1.0, 3.0], [3.5, 3.0], [2.0, 1.0]]


def test_features_that_do_not_vary_predict_nothing() -> None:
    y = torch.from_numpy(np.random.default_rng(0).normal(size=30))
    found = rlipp(y.new_zeros(30, 3), y.new_zeros(30, 0), y, halves(30), permutations(9, 30, (0,)))
    assert (found.own, found.inputs, found.ratio, found.p) == (0, 0, None, 1)


def test_a_term_that_joins_its_inputs_gains() -> None:
    """The phenotype is the product of two inputs, which no linear regression on them finds."""
    random = np.random.default_rng(3)
    x = random.choice([-1.0, 1.0], size=(200, 2))
    y = x.prod(1) + random.normal(size=200)
    joined, inputs = torch.from_numpy(x.prod(1, keepdims=True)), torch.from_numpy(x)
    orders, half = permutations(199, 200, (0,)), halves(200)
    found = rlipp(joined, inputs, torch.from_numpy(y), half, orders)
    assert found.own > 0.4
    assert found.p == 1 / 200
    back = rlipp(inputs, joined, torch.from_numpy(y), half, orders)
    assert back.gain == -found.gain
    assert back.p > 0.5
    fit = Ridge(alpha=PENALTY).fit(joined[half], y[half.numpy()])
    spearman = scores(fit.predict(joined[~half]), y[~half.numpy()])["spearman"]
    assert found.own == pytest.approx(spearman, abs=0.25)


def test_a_term_that_only_passes_on_does_not_gain() -> None:
    """Neurons that are a rotation of the inputs: the test keeps its level."""
    random = np.random.default_rng(4)
    p = []
    for seed in range(60):
        x = random.normal(size=(60, 4))
        y = x @ [1, 1, 0, 0] + 2 * random.normal(size=60)
        own = x @ random.normal(size=(4, 4))
        orders = permutations(49, 60, (seed,))
        p.append(rlipp(*(torch.from_numpy(v) for v in (own, x, y)), halves(60), orders).p)
    assert np.mean(np.array(p) <= 0.1) <= 0.2
