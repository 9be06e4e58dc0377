"""Tables of a comparison: they fit 80 columns, whatever the numbers."""

import io
from typing import Any

import pytest

from data_specs.console import Console
from dcell_model.compare.terminal import _short, print_record, verdict


def row(model: str, pearson: float | None, mse: float = 0.0064, **other: Any) -> dict[str, Any]:
    sd = {f"{key}_sd": 0.123 for key in ("pearson", "spearman", "r2")} | {"mse_sd": 0.00086}
    scores = {"pearson": pearson, "spearman": -0.5, "mse": mse, "r2": -0.25}
    rest = {"seconds": 12_345.6, "parameters": 131_135_713, "test": 12_345}
    return {"split": "random", "model": model, "seeds": 3, **scores, **sd, **rest} | other


def printed(*rows: dict[str, Any], **others: Any) -> list[str]:
    console = Console(width=80, file=io.StringIO())
    print_record({"summary": list(rows), **others}, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_it_fits() -> None:
    lines = printed(row("dcell", -0.123), row("dango", 0.5), row("ridge", None), row("mlp", 0.1))
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    names = [line.split()[0] for line in lines if "131.1 M" in line]
    assert names == ["DANGO", "mlp", "DCell", "ridge"]  # best first, undefined last
    assert [line.split()[0] for line in lines if "-0.250±0.123" in line] == names
    assert "6.400±0.860" in "".join(lines)
    assert "MSE·1e3" in "".join(lines)


def test_one_seed() -> None:
    alone = row("mlp", 0.5, seeds=1, pearson_sd=None)
    assert "random split, 1 seed, 12,345 test genotypes each" in printed(alone)[0]


def less(to: str, mean: float | None, error: float | None = None) -> dict[str, Any]:
    keys = ("pearson_difference", "r2_difference")
    return {"to": to, **dict.fromkeys(keys, mean), **{f"{key}_se": error for key in keys}}


def test_differences_fit_beside_scores() -> None:
    lines = printed(
        row("dcell", -0.123),
        row("dcell:genes", -0.123, r2=-123.4567, r2_sd=23.45, **less("dcell", -0.1234, 0.0123)),
        row("dcell:terms", None, **less("dcell", None)),
    )
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    (genes,) = (line.split() for line in lines if "-123.5±23.4" in line)
    assert genes[0] == "DCell:genes"
    assert genes[-2:] == ["-0.123±0.012", "-0.123±0.012"]
    (terms,) = (line.split() for line in lines if "DCell:terms" in line and "131" not in line)
    assert terms[-2:] == ["–", "–"]
    assert "Δ: less DCell on the same split and seed, ± standard error" in lines


def test_without_other_models_there_is_no_difference() -> None:
    assert "Δ" not in "".join(printed(row("dcell", 0.5)))


def test_a_baseline_that_is_best_stands_first() -> None:
    lines = printed(row("dcell", 0.5, r2=0.25), row("ridge", 0.4, r2=0.5, r2_sd=0.01))
    assert lines[0] == "ridge is best: R² 0.500±0.010"
    assert lines[1].startswith("random split, 3 seeds")
    for others in (
        [row("dcell", 0.4, r2=0.6), row("ridge", 0.5, r2=0.5)],
        [row("dcell", 0.4, r2=None), row("ridge", 0.5, r2=None)],
        [row("ridge", 0.5, r2=0.5)],
    ):
        assert printed(*others)[0].startswith("random split")


def against(mean: float | None, error: float | None) -> dict[str, Any]:
    own = {"split": "random", "model": "dcell", "control": "dcell:genes", "seeds": 3}
    return {**own, "r2_difference": mean, "r2_difference_se": error}


@pytest.mark.parametrize(
    ("mean", "error", "words"),
    [
        (0.1, 0.04, "is more than two standard errors ahead of DCell:genes: R² +0.100±0.040."),
        (-0.1, 0.04, "is more than two standard errors behind DCell:genes: R² -0.100±0.040."),
        (0.1, 0.05, "is within two standard errors of DCell:genes: R² +0.100±0.050."),
        (0.1, None, "and DCell:genes: R² +0.100; one seed does not tell them apart."),
        (None, None, "and DCell:genes cannot be told apart: an R² is not defined."),
    ],
)  # fmt: skip
def test_a_sentence_says_whether_dcell_is_ahead_of_a_control(
    mean: float | None, error: float | None, words: str
) -> None:
    words = f"DCell {words}"
    assert verdict(against(mean, error)) == words
    assert len(words) <= 80
    console = Console(width=80, file=io.StringIO())
    rows = [row("dcell", 0.5), row("dcell:genes", 0.5, **less("dcell", 0.0))]
    print_record({"summary": rows, "controls": [against(mean, error)]}, console)
    assert isinstance(console.file, io.StringIO)
    assert words in console.file.getvalue().splitlines()


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


def test_the_ceiling_is_a_note() -> None:
    ceiling = {
        "source": "replicates", "genotypes": 123_456, "of": 20_705_612, "copies": 23_586_123,
        "ceiling_pearson": 0.772, "ceiling_r2": 0.596,
    }  # fmt: skip
    lines = printed(row("dcell", 0.2), row("mlp", 0.3), ceiling=ceiling)
    assert "a perfect model would reach a Pearson of 0.772 (R² 0.596)," in lines
    assert max(map(len, lines)) <= 80
    by_sd = {**ceiling, "source": "sd", "column": "std"}
    assert "by column std of 123,456 genotypes" in printed(row("dcell", 0.2), ceiling=by_sd)
    assert not any("perfect" in line for line in printed(row("dcell", 0.2), ceiling=None))
