"""The few numbers by which runs are compared: `scores.json`, which DVC keeps and compares."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from data_specs.tables import PARTS
from dcell_model.scores import Values, scores

HELD_OUT = ("test", "val")


def headline(
    predicted: Values,
    baselines: Mapping[str, Values],
    measured: Values,
    parts: npt.NDArray[np.uint8],
    history: Sequence[Mapping[str, Any]],
    best_epoch: int,
) -> dict[str, Any]:
    """Scores of a model and of the best baseline on the parts that it was not trained on.

    The best baseline is the one with the least squared error on the validation part, so that the
    test part chooses nothing; without such a part it is that of the test part.

    Args:
        predicted: `[N]` the model's predictions of the first phenotype.
        baselines: `[N]` predictions by name.
        measured: `[N]`, NaN where not measured.
        parts: `[N]` numbers in `data_specs.tables.PARTS`.
        history: the rows of all epochs.
        best_epoch: the one that predicts.
    """
    of_baselines = {name: _by_part(values, measured, parts) for name, values in baselines.items()}
    told = [name for name, values in of_baselines.items() if values and _error(values) is not None]
    best = min(told, key=lambda name: _error(of_baselines[name]), default=None)
    return {
        **_by_part(predicted, measured, parts),
        "best_baseline": {} if best is None else {"name": best, **of_baselines[best]},
        "epochs": len(history),
        "best_epoch": best_epoch,
        "seconds": round(sum(row["seconds"] for row in history), 1),
    }


def _by_part(
    predicted: Values, measured: Values, parts: npt.NDArray[np.uint8]
) -> dict[str, dict[str, Any]]:
    found = {}
    for part in HELD_OUT:
        inside = np.flatnonzero(parts == PARTS.index(part))
        if len(inside):
            found[part] = scores(predicted[inside], measured[inside])
    return found


def _error(by_part: Mapping[str, Mapping[str, Any]]) -> Any:
    return by_part["val" if "val" in by_part else "test"]["mse"]
