"""The first remark about a run: whether a simpler model predicts better."""

from collections.abc import Mapping
from typing import Any

from dcell_model.models import title_of
from dcell_model.scores import PART_NAMES


def verdict(metrics: Mapping[str, Any]) -> str | None:
    """A sentence that names the baseline of least squared error, if that is below the model's.

    Args:
        metrics: as `metrics.json` holds them; the test part is judged, or else the validation part.

    Returns:
        None if no baseline is ahead, or nothing is known of the model.
    """
    part = next((part for part in PART_NAMES if part in metrics), None)
    if part is None or metrics[part].get("mse") is None:
        return None
    scored = {name: row.get(part, {}) for name, row in metrics["baselines"].items()}
    told = {name: row for name, row in scored.items() if row.get("mse") is not None}
    best = min(told, key=lambda name: told[name]["mse"], default=None)
    if best is None or told[best]["mse"] >= metrics[part]["mse"]:
        return None
    key, name = ("r2", "R²") if _both(told[best], metrics[part], "r2") else ("mse", "MSE")
    ahead, behind = _unlike(told[best][key], metrics[part][key])
    model = title_of(metrics["model"])
    return (
        f"{best} predicts the {PART_NAMES[part]} part better than {model}: "
        f"{name} {ahead} against {behind}."
    )


def _both(one: Mapping[str, Any], other: Mapping[str, Any], key: str) -> bool:
    return one.get(key) is not None and other.get(key) is not None


def _unlike(one: float, other: float) -> tuple[str, str]:
    """With three decimals, or as many more as they differ in."""
    for decimals in range(3, 16):
        shown = f"{one:.{decimals}f}", f"{other:.{decimals}f}"
        if shown[0] != shown[1]:
            return shown
    return str(one), str(other)
