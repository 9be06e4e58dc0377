"""Where a simpler model predicts better, that is said."""

from typing import Any

import pytest

from dcell_model.evaluate.verdict import verdict


def row(mse: float | None, r2: float | None = None) -> dict[str, Any]:
    return {"pearson": 0.5, "spearman": 0.5, "r2": r2, "mse": mse}


def metrics(own: dict[str, Any], part: str = "test", **others: dict[str, Any]) -> dict[str, Any]:
    baselines = {name: {part: scored} for name, scored in others.items()}
    return {"model": "dcell", part: own, "baselines": baselines}


def test_the_best_baseline_is_named() -> None:
    told = verdict(metrics(row(3.0, -0.025), mean=row(2.9, 0.0), ridge=row(2.5, 0.0571)))
    assert told == "ridge predicts the test part better than DCell: R² 0.057 against -0.025."


@pytest.mark.parametrize("other", [row(3.0, 0.1), row(2.0, 0.4), row(None)])
def test_nothing_is_said_where_the_model_is_ahead_or_level(other: dict[str, Any]) -> None:
    assert verdict(metrics(row(2.0, 0.4), ridge=other)) is None


def test_nothing_is_known() -> None:
    assert verdict({"model": "dcell", "baselines": {"mean": {}}}) is None
    assert verdict(metrics(row(None), mean=row(1.0))) is None
    assert verdict(metrics(row(1.0))) is None


def test_a_narrow_lead_is_shown_with_more_decimals() -> None:
    told = verdict(metrics(row(1.0, 0.45671), fm=row(0.9999, 0.45679)))
    assert told is not None
    assert told.endswith("R² 0.4568 against 0.4567.")


def test_without_r2_or_test_part() -> None:
    told = verdict(metrics(row(2.0), part="val", mlp=row(1.5)))
    assert told == "mlp predicts the validation part better than DCell: MSE 1.500 against 2.000."
