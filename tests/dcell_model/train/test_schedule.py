"""Rate and decay over a run."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_specs.parameters.sections import Train
from dcell_model.train.schedule import rate_after, weight_decay_of


def test_cosine_from_the_rate_down_to_zero() -> None:
    config = Train(lr=0.1)
    assert rate_after(0, config) == 0.1
    assert rate_after(0.5, config) == pytest.approx(0.05)
    assert rate_after(1, config) == pytest.approx(0)


def test_warm_up_rises_to_the_rate_and_the_cosine_fills_the_rest() -> None:
    config = Train(lr=0.1, warmup=0.2)
    assert rate_after(0, config) == 0
    assert rate_after(0.1, config) == pytest.approx(0.05)
    assert rate_after(0.2, config) == pytest.approx(0.1)
    assert rate_after(0.6, config) == pytest.approx(0.05)
    assert rate_after(1, config) == pytest.approx(0)


@given(
    st.integers(20, 3000),
    st.floats(1e-4, 0.1),
    st.floats(0.1, 5),
    st.sampled_from(["cosine", "constant"]),
    st.sampled_from([0.0, 0.1, 0.37, 0.9]),
)
def test_a_run_decays_as_it_says_whatever_its_steps(
    steps: int, lr: float, decay: float, schedule: str, warmup: float
) -> None:
    """Weights without gradients end as e^-decay; discrete steps take a little more."""
    config = replace(Train(), lr=lr, decay=decay, schedule=schedule, warmup=warmup)  # type: ignore[arg-type]
    coefficient = weight_decay_of(config, steps, None)
    shares = [rate_after(step / steps, config) * coefficient for step in range(steps)]
    assert sum(shares) == pytest.approx(decay) or max(shares) == pytest.approx(0.5)
    left = math.prod(1 - share for share in shares)
    assert left <= math.exp(-sum(shares))


def test_a_run_without_an_end_in_sight_costs_no_more() -> None:
    config = Train(lr=0.1, decay=3.0)
    assert weight_decay_of(config, 10**15, None) == pytest.approx(3 / (0.1 * 10**15 / 2))


def test_runs_of_a_few_steps_keep_their_weights() -> None:
    for steps in (1, 2, 3):
        config = Train(decay=100.0)
        assert config.lr * weight_decay_of(config, steps, None) <= 0.5


def test_a_coefficient_that_is_given_holds() -> None:
    assert weight_decay_of(Train(), 100, 0.01) == 0.01
    assert weight_decay_of(Train(), 100, 0.0) == 0
    assert weight_decay_of(Train(decay=0.0), 100, None) == 0
