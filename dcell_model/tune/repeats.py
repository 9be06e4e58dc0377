"""How much of a gain is noise: the setting from before and the best one, trained with other seeds.

The best of many trials owes some of its score to luck. Weights that start elsewhere, with batches
in another order, have none of it; luck with the validation samples themselves stays.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_specs.layout import read_json, write_json
from data_specs.parameters import Parameters
from dcell_model.checkpoint import flat, trained_sections
from dcell_model.train import DivergedError, Row, with_seed_above
from dcell_model.tune.folder import RESULT, remove_run
from dcell_model.tune.objective import NOTHING, Objective
from dcell_model.tune.trial import train_in

DEFAULT, BEST = "default", "best"
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Comparison:
    """Scores of the setting from before and of the best one, with the same seeds.

    Attributes:
        default: a score a seed.
        best: the same.
    """

    default: list[float]
    best: list[float]

    @property
    def gain(self) -> float:
        """Difference of the means."""
        return float(np.mean(self.best) - np.mean(self.default))

    @property
    def sd(self) -> float | None:
        """Over the seeds, pooled over both settings; none of a single seed."""
        if len(self.default) < 2:
            return None
        return math.sqrt(np.mean([np.var(seeded, ddof=1) for seeded in (self.default, self.best)]))

    @property
    def beyond(self) -> float | None:
        """From how many sd on a gain is beyond noise: Student's t of two means, at 95 %."""
        seeds = len(self.default)
        if seeds < 2:
            return None
        from scipy.stats import t

        return float(t.ppf((1 + CONFIDENCE) / 2, 2 * seeds - 2)) * math.sqrt(2 / seeds)

    def verdict(self) -> str:
        """Whether the gain is more than noise, in a sentence of two lines."""
        sd, beyond, gain = self.sd, self.beyond, self.gain
        kind = "gain" if gain >= 0 else "loss"
        if sd is None or beyond is None:
            return f"The {kind} is {abs(gain):.4f}; one seed does not tell whether that is noise."
        if sd == 0:
            return f"The {kind} is {abs(gain):.4f}; no score depends on the seed."
        times = abs(gain) / sd
        found = "beyond noise" if times >= beyond else "within noise"
        return (
            f"The {kind} of {abs(gain):.4f} is {times:.1f} times the sd over seeds: {found}\n"
            f"(with {len(self.default)} seeds, a difference is beyond it from {beyond:.1f} on)."
        )

    def to_json(self) -> dict[str, Any]:
        """As the record holds it."""
        return {
            "default": self.default, "best": self.best, "gain": self.gain, "sd": self.sd,
            "beyond_noise_from": self.beyond, "verdict": self.verdict().replace("\n", " "),
        }  # fmt: skip


def repeated(
    data: Path,
    folder: Path,
    parameters: Parameters,
    objective: Objective,
    number: int,
) -> tuple[float, bool]:
    """The score of a training with another seed, and whether it was there from before.

    Args:
        data: folder of a build.
        folder: of the run, which is removed; its result stays.
        parameters: of the run; its seed is so much above theirs.
        objective: scores the epochs.
        number: of the repeat, counted from 1.
    """
    seeded = with_seed_above(parameters, number)
    made_with = flat(trained_sections(seeded))
    path = folder / RESULT
    if path.is_file() and (found := read_json(path))["made_with"] == made_with:
        return float(found["score"]), True
    rows: list[Row] = []
    try:
        train_in(data, folder, seeded, rows.append)
    except DivergedError:
        rows.clear()
    _, score = objective.best(rows) or (0, NOTHING)
    remove_run(folder)
    write_json(path, {"score": score, "seed": seeded.train.seed, "made_with": made_with})
    return score, False


def mean_and_sd(scores: Sequence[float]) -> str:
    """`0.612 ± 0.004`, with as many digits as lines have."""
    spread = f" ± {np.std(scores, ddof=1):.4f}" if len(scores) > 1 else ""
    return f"{np.mean(scores):.4f}{spread}"
