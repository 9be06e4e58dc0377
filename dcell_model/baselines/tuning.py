"""How settings are chosen: successive halving by the error on the validation part.

All trials are fitted for a short while, the better half for twice as long, and so on, until one is
left, which is fitted to the end: about as much work as `1 + log2(trials)` fits. Jamieson and
Talwalkar (2016), "Non-stochastic best arm identification and hyperparameter optimization".
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from dcell_model.progress import Progress

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
    others = (grid[place] for place in order if grid[place] != first)
    return [first, *itertools.islice(others, trials - 1)]


def halve(trials: Sequence[T], rounds: int, shown: Progress) -> T:
    """The best of some trials, fitted to the end; of equals, the first.

    Args:
        trials: at least one, none begun.
        rounds: how long the last one is fitted, at most.
        shown: is told of `work(len(trials), rounds)` rounds.
    """
    alive, done = list(trials), 0
    for until in _stops(len(trials), rounds):
        for trial in alive:
            trial.advance(until)
            shown.advance(until - done)
        done = until
        alive = sorted(alive, key=_error)[: -(-len(alive) // 2)]
    return alive[0]


def work(trials: int, rounds: int) -> int:
    """How many rounds `halve` asks for, of all trials together."""
    total, done = 0, 0
    for until in _stops(trials, rounds):
        total += trials * (until - done)
        trials, done = -(-trials // 2), until
    return total


def _stops(trials: int, rounds: int) -> list[int]:
    """After how many rounds the worse half is given up; at the last, one is left."""
    halvings = math.ceil(math.log2(trials))
    return [-(-rounds // 2 ** (halvings - number)) for number in range(halvings + 1)]


def _error(trial: Trial) -> float:
    return trial.error if math.isfinite(trial.error) else math.inf
