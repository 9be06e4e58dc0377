"""Predictions are drawn to a line, and intervals cover what they promise."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dcell_model.checkpoint.calibration import LEAST, Calibration


def noisy(n: int, explained: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions `[n, 2]` of unit variance, and measurements with this slope on them."""
    random = torch.Generator().manual_seed(seed)
    predicted = torch.randn(n, 2, generator=random, dtype=torch.float64)
    noise = torch.randn(n, 2, generator=random, dtype=torch.float64)
    return predicted, explained * predicted + noise + 3


def test_least_squares() -> None:
    """Shrunk by 1 − 1/F, which is next to nothing for a slope that many samples show."""
    predicted, measured = noisy(200, 0.4)
    found = Calibration.fit(predicted, measured)
    for column in range(2):
        design = torch.stack([predicted[:, column], torch.ones(200, dtype=torch.float64)], dim=1)
        fitted = torch.linalg.lstsq(design, measured[:, column]).solution
        left = (measured[:, column] - design @ fitted).square().sum() / 198
        variance = left * torch.linalg.inv(design.T @ design)[0, 0]
        slope = fitted[0] * (1 - variance / fitted[0].square())
        torch.testing.assert_close(found.slope[column], slope)
        middle = measured[:, column].mean() - slope * predicted[:, column].mean()
        torch.testing.assert_close(found.intercept[column], middle)
    assert (found.apply(predicted) - measured).square().mean() < (
        predicted - measured
    ).square().mean()


@pytest.mark.parametrize(("explained", "slope"), [(-0.5, 0.0), (1.7, 1.0)])
def test_slopes_stay_between_mean_and_prediction(explained: float, slope: float) -> None:
    predicted, measured = noisy(500, explained)
    found = Calibration.fit(predicted, measured)
    assert found.slope.tolist() == [slope, slope]
    rest = (measured - slope * predicted).mean(0)
    torch.testing.assert_close(found.intercept, rest)


def test_who_says_nothing_is_drawn_to_the_given_mean() -> None:
    """Not to that of the validation part, whose genes may be others."""
    predicted, measured = noisy(500, -0.5)
    centre = torch.tensor([1.0, 2.0])
    found = Calibration.fit(predicted, measured, centre=centre)
    torch.testing.assert_close(found.apply(predicted), centre.double().expand(500, 2))
    predicted, measured = noisy(500, 0.5)
    found, free = (
        Calibration.fit(predicted, measured, centre=centre),
        Calibration.fit(predicted, measured),
    )
    torch.testing.assert_close(found.slope, free.slope)
    torch.testing.assert_close(found.apply(predicted).mean(0), centre.double())


def test_a_slope_within_its_own_error_is_none() -> None:
    """Of fifty small parts without any relation, most get the mean, and none much else."""
    slopes = [float(Calibration.fit(*noisy(50, 0.0, seed)).slope[0]) for seed in range(50)]
    assert sum(slope == 0 for slope in slopes) > 35
    assert max(slopes) < 0.4


@pytest.mark.parametrize("n", [0, 1, LEAST - 1])
def test_few_samples_make_no_line(n: int) -> None:
    predicted, measured = noisy(n, 0.3)
    found = Calibration.fit(predicted, measured)
    assert torch.equal(found.apply(predicted), predicted)
    assert [len(own) for own in found.errors] == [n, n]


def test_one_prediction_for_all_makes_no_line() -> None:
    found = Calibration.fit(torch.ones(50, 1), torch.arange(50.0)[:, None])
    assert found.slope.item() == 1
    given = Calibration.fit(torch.ones(50, 1), torch.arange(50.0)[:, None],
                            centre=torch.tensor([7.0]))  # fmt: skip
    assert given.apply(torch.ones(1, 1)).item() == 7


def test_what_was_not_measured_does_not_count() -> None:
    predicted, measured = noisy(100, 0.5)
    measured[::3, 0] = math.nan
    found = Calibration.fit(predicted, measured)
    known = ~measured[:, 0].isnan()
    alone = Calibration.fit(predicted[known][:, :1], measured[known][:, :1])
    torch.testing.assert_close(found.slope[:1], alone.slope)
    assert [len(own) for own in found.errors] == [int(known.sum()), 100]


def test_without_a_line_only_errors_are_kept() -> None:
    predicted, measured = noisy(100, 0.5)
    found = Calibration.fit(predicted, measured, line=False)
    assert torch.equal(found.apply(predicted), predicted)
    assert torch.equal(found.errors[0], (predicted - measured)[:, 0].abs().sort().values)


@given(st.integers(1, 40), st.integers(1, 99))
def test_half_widths_are_the_conformal_quantile(n: int, percent: int) -> None:
    errors = torch.arange(1.0, n + 1, dtype=torch.float64)
    none = Calibration.none(1)
    width = (
        Calibration(none.slope, none.intercept, (errors,), none.per_spread)
        .half_widths(percent / 100)
        .item()
    )
    rank = -(-(n + 1) * percent // 100)  # in integers: no rounding
    assert width == (rank if rank <= n else math.inf)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_intervals_cover_new_measurements(level: float) -> None:
    """The promise is of the mean over draws of both parts; 300 draws leave an error of 0.01."""
    covered = []
    for seed in range(300):
        predicted, measured = noisy(120, 0.6, seed)
        found = Calibration.fit(predicted[:60], measured[:60], line=False)
        error = (found.apply(predicted[60:]) - measured[60:]).abs()
        covered.append((error <= found.half_widths(level)).double().mean().item())
    assert sum(covered) / len(covered) == pytest.approx(level + 0.008, abs=0.02)


def test_through_a_checkpoint() -> None:
    found = Calibration.fit(*noisy(30, 0.5))
    again = Calibration.of({"calibration": found.to_checkpoint()})
    assert torch.equal(again.slope, found.slope)
    assert torch.equal(again.intercept, found.intercept)
    assert all(map(torch.equal, again.errors, found.errors))


def test_intervals_grow_with_the_spread_where_that_helps() -> None:
    """Errors that are proportional to the spread are covered by narrower intervals on the whole."""
    torch.manual_seed(0)
    spread = torch.rand(4000, 1, dtype=torch.float64) ** 3
    noise = torch.randn(4000, 1, dtype=torch.float64)
    zeros = torch.zeros_like(spread)
    told, blind = (
        Calibration.fit(zeros, noise * (0.01 + width), line=False, spread=spread)
        for width in (spread, torch.full_like(spread, 0.3))
    )
    assert float(told.per_spread) == pytest.approx(1 / float(spread.mean()))
    assert float(blind.per_spread) == 0  # of no use: as wide everywhere
    fresh = torch.rand(4000, 1, dtype=torch.float64) ** 3
    missed = (torch.randn(4000, 1, dtype=torch.float64) * (0.01 + fresh)).abs()
    widths = told.half_widths(0.9, fresh)
    assert float((missed <= widths).double().mean()) == pytest.approx(0.9, abs=0.02)
    assert torch.equal(blind.half_widths(0.9, fresh), blind.half_widths(0.9).expand(4000, 1))


def test_an_ensemble_is_combined_by_its_mean() -> None:
    line = Calibration(
        torch.tensor([0.5, 1.0]).double(), torch.tensor([1.0, 0.0]).double(), (), torch.zeros(2)
    )
    own = torch.tensor([[[1.0, 2.0]], [[3.0, 2.0]]])
    found = line.combine(own)
    assert found.values.tolist() == [[2.0, 2.0]]
    assert found.spread.tolist() == [[pytest.approx(0.5 * 2**0.5), 0.0]]
    assert line.combine(own[:1]).spread.tolist() == [[0.0, 0.0]]
