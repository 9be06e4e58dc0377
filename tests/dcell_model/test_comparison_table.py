"""Tables of a comparison: they fit 80 columns, whatever the numbers."""

import io
from typing import Any

import pytest

from data_specs.console import Console
from dcell_model.comparison_table import _short, print_record


def row(model: str, pearson: float | None, mse: float = 0.0064, **other: Any) -> dict[str, Any]:
    sd = {f"{key}_sd": 0.123 for key in ("pearson", "spearman", "r2")} | {"mse_sd": 0.00086}
    scores = {"pearson": pearson, "spearman": -0.5, "mse": mse, "r2": -0.25}
    rest = {"seconds": 12_345.6, "parameters": 131_135_713, "test": 12_345}
    return {"split": "random", "model": model, "seeds": 3, **scores, **sd, **rest} | other


def printed(*rows: dict[str, Any]) -> list[str]:
    console = Console(width=80, file=io.StringIO())
    print_record({"summary": list(rows)}, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_it_fits() -> None:
    lines = printed(row("dcell", -0.123), row("dango", 0.5), row("ridge", None), row("mlp", 0.1))
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    names = [line.split()[0] for line in lines if "131.1 M" in line]
    assert names == ["DANGO", "mlp", "DCell", "ridge"]  # best first, undefined last
    assert "6.400±0.860" in "".join(lines)
    assert "MSE·1e3" in "".join(lines)


def test_one_seed() -> None:
    alone = row("mlp", 0.5, seeds=1, pearson_sd=None)
    assert "random split, 1 seed, 12,345 test genotypes each" in printed(alone)[0]


@pytest.mark.parametrize("mse", [0.0, 3.0, 2e-5])
def test_any_error(mse: float) -> None:
    assert max(map(len, printed(row("mlp", 0.5, mse)))) <= 80


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.04, "0.0"), (1.52, "1.5"), (401, "401"), (29_889, "29,889"), (360_362, "360 k"),
     (14_300_000, "14.3 M")],
)  # fmt: skip
def test_numbers(value: float, shown: str) -> None:
    assert _short(value) == shown
