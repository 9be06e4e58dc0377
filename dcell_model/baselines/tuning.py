"""How settings are chosen: by the error on the validation part, most of the work on the best.

All trials are fitted for a quarter of the way, the better half of them to the middle, and the
better half of those to the end: as much work as half of them take. That is successive halving
(Jamieson and Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter
optimization") with rungs that begin late: after fewer epochs the fastest is ahead, not the best.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from dcell_model.machine import Progress

Settings = dict[str, Any]


class Trial(Protocol):
    """A fit with some settings, which stops and goes on."""

    settings: Settings
    error: float  # mean squared error on the validation part, the least so far

    def advance(self, until: int) -> None:
        """Go on until so many rounds are done, or until more does not help."""


T = TypeVar("T", bound=Trial)


def draw(
    choices: Mapping[str, Sequence[Any]], first: Settings, trials: int, seed: int
) -> list[Settings]:
    """Different settings to try: `first`, then some drawn from the grid of all choices.

    Args:
        choices: values to choose from, by name.
        first: a value for each name, in the grid or not.
        trials: how many are wanted; there are fewer where the grid has no more.
        seed: of the draw. More trials of one seed begin with those of fewer.
    """
    names, values = list(choices), [list(dict.fromkeys(choices[name])) for name in choices]
    assert first.keys() == choices.keys(), (first, choices)
    grid = [dict(zip(names, point, strict=True)) for point in itertools.product(*values)]
    order = np.random.default_rng(seed).permutation(len(grid))
    others = (grid[index] for index in order if grid[index] != first)
    return [first, *itertools.islice(others, trials - 1)]


def halve(trials: Sequence[T], rounds: int, shown: Progress) -> T:
    """The best of some trials, those that are given up early included; of equals, the first.

    Args:
        trials: at least one, none begun.
        rounds: how long the best are fitted, at most.
        shown: receives the progress in `work(len(trials), rounds)` rounds.
    """
    alive = list(trials)
    for kept, more, until in _rungs(len(trials), rounds):
        alive = sorted(alive, key=_error)[:kept]
        for trial in alive:
            trial.advance(until)
            shown.advance(more)
    return min(trials, key=_error)


def work(trials: int, rounds: int) -> int:
    """How many rounds `halve` asks for, of all trials together."""
    return sum(kept * more for kept, more, _ in _rungs(trials, rounds))


def _rungs(trials: int, rounds: int) -> list[tuple[int, int, int]]:
    """How many trials go on, how many rounds each, and after how many they stop."""
    stops = [-(-rounds // 4), -(-rounds // 2), rounds]
    return [
        (-(-trials // 2**rung), until - before, until)
        for rung, (before, until) in enumerate(zip([0, *stops], stops, strict=False))
    ]


def _error(trial: Trial) -> float:
    return trial.error if math.isfinite(trial.error) else math.inf
