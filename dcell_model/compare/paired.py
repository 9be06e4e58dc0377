"""Differences of models on the same split and seed, free of the split's effect on all of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dcell_model.compare.models import FIRST, OF_CONTROLS

PAIRED = ("pearson", "r2")
Result = Mapping[str, Any]


def difference(runs: Sequence[Result], split: str, model: str, other: str) -> dict[str, Any]:
    """A model's scores less another's: mean over the seeds, and its standard error.

    Args:
        runs: of all models, as `dcell_model.compare` records them.
        split: method of the splits.
        model: whose scores.
        other: whose scores are taken off.

    Returns:
        `pearson_difference`, `r2_difference`, and with `_se` the standard error of each, sd / √n.
        A mean is None where a score is not defined for some seed, an error also for one seed.
    """
    by_seed, others = (
        {r["seed"]: r for r in runs if (r["split"], r["model"]) == (split, name)}
        for name in (model, other)
    )
    row: dict[str, Any] = {}
    for key in PAIRED:
        pairs = [(by_seed[seed][key], others[seed][key]) for seed in by_seed if seed in others]
        known = bool(pairs) and all(None not in pair for pair in pairs)
        values = np.array([a - b for a, b in pairs]) if known else np.empty(0)
        row[f"{key}_difference"] = float(values.mean()) if known else None
        spread = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
        row[f"{key}_difference_se"] = spread
    return row


def against_controls(runs: Sequence[Result]) -> Iterator[dict[str, Any]]:
    """For every split, DCell less each of its controls that was trained, as `difference`."""
    for split in dict.fromkeys(r["split"] for r in runs):
        models = dict.fromkeys(r["model"] for r in runs if r["split"] == split)
        for control in (name for name in OF_CONTROLS if name in models and FIRST in models):
            seeds = sum(r["split"] == split and r["model"] == control for r in runs)
            found = {"split": split, "model": FIRST, "control": control, "seeds": seeds}
            yield {**found, **difference(runs, split, FIRST, control)}
