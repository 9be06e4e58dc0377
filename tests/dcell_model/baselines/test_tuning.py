"""The search: which settings are tried, how long, and which is chosen."""

import math
from dataclasses import dataclass, field

import pytest

from dcell_model.baselines.tuning import Settings, draw, halve, work

CHOICES = {"a": (1, 2, 3), "b": (0.0, 0.5)}
FIRST = {"a": 2, "b": 0.5}


@dataclass
class Curve:
    """A trial whose error after so many rounds is known."""

    errors: list[float]
    settings: Settings = field(default_factory=dict)
    done: int = 0

    @property
    def error(self) -> float:
        return min(self.errors[: self.done], default=math.inf)

    @error.setter
    def error(self, value: float) -> None:
        raise AssertionError(value)

    def advance(self, until: int) -> None:
        self.done = until


class Count:
    def __init__(self) -> None:
        self.total = 0

    def advance(self, count: int = 1) -> None:
        self.total += count

    def say(self, line: str, short: str) -> None:
        raise AssertionError(line, short)


def test_one_trial_is_the_first_setting_fitted_to_the_end() -> None:
    assert draw(CHOICES, FIRST, 1, 0) == [FIRST]
    only, shown = Curve([3.0] * 10), Count()
    assert halve([only], 10, shown) is only
    assert only.done == shown.total == work(1, 10) == 10


def test_settings_differ_and_more_begin_with_fewer() -> None:
    tried = draw(CHOICES, FIRST, 5, seed=3)
    assert tried[0] == FIRST
    assert len({tuple(settings.items()) for settings in tried}) == 5
    assert draw(CHOICES, FIRST, 3, seed=3) == tried[:3]
    assert draw(CHOICES, FIRST, 5, seed=4) != tried


def test_no_more_settings_than_the_grid_has() -> None:
    assert len(draw(CHOICES, FIRST, 1000, 0)) == 6
    outside = {"a": 9, "b": 0.5}
    assert len(draw(CHOICES, outside, 1000, 0)) == 7
    assert len(draw({"a": (1, 1)}, {"a": 1}, 1000, 0)) == 1


def test_the_worse_half_is_given_up() -> None:
    trials = [Curve([float(level)] * 8) for level in (4, 1, 3, 2, 7, 6, 5, 8)]
    shown = Count()
    assert halve(trials, 8, shown) is trials[1]
    assert [trial.done for trial in trials] == [4, 8, 4, 8, 2, 2, 2, 2]
    assert shown.total == work(8, 8) == sum(trial.done for trial in trials)
    assert work(8, 8) <= 8 * 8 / 2


@pytest.mark.parametrize("rounds", [1, 2, 3, 4, 5, 40])
@pytest.mark.parametrize("trials", [1, 2, 3, 5, 8])
def test_the_bar_ends_where_the_work_does(trials: int, rounds: int) -> None:
    shown = Count()
    halve([Curve([1.0] * rounds) for _ in range(trials)], rounds, shown)
    assert shown.total == work(trials, rounds)


def test_of_equals_the_first_is_chosen() -> None:
    trials = [Curve([1.0] * 8) for _ in range(4)]
    assert halve(trials, 8, Count()) is trials[0]


def test_what_diverges_is_never_chosen() -> None:
    trials = [Curve([math.nan] * 8), Curve([5.0] * 8), Curve([math.inf] * 8)]
    assert halve(trials, 8, Count()) is trials[1]
