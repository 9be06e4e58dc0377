"""The summary holds every number, within 80 columns, with and without colour."""

import io
from pathlib import Path
from typing import Any

import pytest

from data_specs.console import Console
from dcell_model.evaluate.summary import print_summary


def scored(pearson: float | None, mse: float) -> dict[str, Any]:
    return {"test": {"pearson": pearson, "spearman": pearson, "mse": mse}}


LEDGER: dict[str, Any] = {
    "lines": 111_356,
    "dropped": {
        "malformed": 3, "negated": 355, "taxon": 5, "no_gene_id": 1884, "evidence": 56_679,
        "date": 21_207, "unknown_term": 41, "obsolete": 51,
    },
    "kept": 31_131,
    "steps": [
        {"step": "annotated", "terms": 5793, "edges": 9787, "annotations": 24_661, "genes": 5814},
        {"step": "transitive_reduction", "terms": 2415, "edges": 4048, "annotations": 21_772,
         "genes": 5778},
    ],
    "strata": [1, 3, 431, 17],
    "heights": [1023, 560, 3, 1],
    "leaves": 1023,
    "genotypes": {
        "rows": 501_510, "dropped": {"no_deletion": 1203, "bad_row": 17}, "merged": 361,
        "genotypes": 499_929, "genes": 5902, "orders": {"1": 6, "2": 408_878, "3": 91_041, "4": 4},
    },
    "store": {
        "samples": 498_729, "bytes_per_sample": 612.4, "dropped": {"unannotated": 1200},
        "unannotated_genes": 38,
    },
    "split": {"method": "query"},
}  # fmt: skip
METRICS: dict[str, Any] = {
    "model": "dcell",
    **scored(0.62134, 0.0041234),
    "baselines": {
        "mean": scored(None, 0.0061),
        "ridge": scored(0.3512, 0.005234),
        "mlp": scored(0.5912, 0.00431),
    },
    "samples": {"train": 390_000, "val": 49_872, "test": 49_873, "excluded": 8984},
    "parameters": 131_135_713,
    "epochs": 40,
    "best_epoch": 33,
    "seconds_per_epoch": 104.23,
    "device": "cuda:0",
    "engine": "stratum",
    "phenotypes": ["[bold]tau[/bold]"],
}
PLOTS = [Path("/home/someone") / ("a-long-folder/" * 9) / name for name in ("a.png", "b.png")]


def printed(metrics: dict[str, Any] = METRICS, **options: Any) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=80, **options)
    print_summary(LEDGER, metrics, PLOTS, console, report=Path("runs/first/report.html"))
    return stream.getvalue()


def numbers(value: Any) -> list[str]:
    """All counts below a part of the ledger, as they are printed."""
    if isinstance(value, dict):
        return [text for inner in value.values() for text in numbers(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in numbers(inner)]
    return [] if isinstance(value, str) else [f"{value:,}"]


def test_every_number_in_eighty_columns() -> None:
    text = printed()
    assert max(map(len, text.splitlines())) <= 80
    words = text.replace(",\n", "\n").split()
    words = [word.strip(",;()") for word in words]
    shown = {key: value for key, value in LEDGER.items() if key not in ("strata", "heights")}
    expected = [*numbers(shown), *numbers(METRICS["samples"]), "131,135,713", "40", "33", "104"]
    assert set(expected) <= set(words)
    assert {"0.621", "0.351", "0.591", "0.004123", "0.006100", "–"} <= set(words)
    assert "runs/first/report.html" in text
    assert "[bold]tau[/bold]" in text  # a name is no markup
    assert "\x1b" not in text  # not a terminal: no colours, no cursor movements


def test_dcell_comes_first_and_the_best_is_bold() -> None:
    lines = printed(force_terminal=True, color_system="standard").splitlines()
    first = next(i for i, line in enumerate(lines) if line.lstrip().startswith("DCell"))
    assert "\x1b[1m" in lines[first]
    for line, name in zip(lines[first + 1 :], METRICS["baselines"], strict=False):
        assert name in line
        assert "\x1b[1m" not in line


@pytest.mark.parametrize("parts", [("val", "train"), ("train",), ()])
def test_without_scored(parts: tuple[str, ...]) -> None:
    found = {part: {"pearson": 0.5, "spearman": 0.4, "mse": 2.0} for part in parts}
    metrics = {key: value for key, value in METRICS.items() if key != "test"}
    metrics |= found | {"baselines": {"mean": {}}}
    assert {"val": "validation part", "train": "training part"}.get(
        parts[0] if parts else "", "test part"
    ) in printed(metrics)


CEILING = {
    "source": "replicates", "genotypes": 1748, "of": 165_690, "repeats": 2033, "copies": 23_586,
    "error_variance": 0.004, "variance": 0.01, "ceiling_pearson": 0.7719, "ceiling_r2": 0.5958,
}  # fmt: skip


def test_the_ceiling_is_a_line_and_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    genotypes = LEDGER["genotypes"] | {"noise": {"tau": [CEILING], "fitness": [CEILING]}}
    monkeypatch.setitem(LEDGER, "genotypes", genotypes)
    metrics = METRICS | {"ceiling": CEILING, "phenotypes": ["tau"]}
    text = printed(metrics)
    assert max(map(len, text.splitlines())) <= 80
    start = text.index("noise")
    said = " ".join(text[start : text.index("samples ", start)].split())
    assert said == (
        "noise by repeats of 1,748 of 165,690 genotypes, not counting 23,586 copied rows, a "
        "perfect model would reach a Pearson of 0.772 (R² 0.596)"
    )
    [row] = [line.split() for line in text.splitlines() if line.lstrip().startswith("ceiling")]
    assert row == ["ceiling", "0.772", "–", "0.596", "0.004042"]
    bold = printed(metrics, force_terminal=True, color_system="standard")
    [line] = [line for line in bold.splitlines() if "ceiling" in line]
    assert "\x1b[1m" not in line
    assert "ceiling" not in printed(METRICS | {"ceiling": None})


def test_large_units() -> None:
    metrics = METRICS | {"test": {"pearson": 1.0, "spearman": 1.0, "mse": 12345.678}}
    metrics["baselines"] = {"mean": {"test": {"pearson": None, "spearman": None, "mse": 0.0}}}
    assert "12345.678" in printed(metrics)


HITS = {"rule": "lowest 5% measured", "samples": 49_873, "hits": 2494, "few": False, "models": {
    "dcell": {"average_precision": 0.4123, "precision_at_20": 0.85, "precision_at_50": 0.82,
              "precision_at_100": None},
    "ridge": {"average_precision": 0.5, "precision_at_20": 1.0, "precision_at_50": 0.9,
              "precision_at_100": 0.88},
}}  # fmt: skip


def test_hits_are_a_table_of_their_own() -> None:
    text = printed(METRICS | {"hits": [HITS]})
    assert max(map(len, text.splitlines())) <= 80
    table = text.split("hits (lowest 5% measured): 2,494 of 49,873 genotypes")[1]
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines() if line.split()}
    assert rows["DCell"] == ["0.412", "0.850", "0.820", "–"]
    assert rows["ridge"] == ["0.500", "1.000", "0.900", "0.880"]
    assert "uncertain" not in text


def test_few_hits_are_said_to_be_few() -> None:
    few = HITS | {"hits": 7, "few": True, "rule": "measured below -0.08, p below 0.05"}
    text = printed(METRICS | {"hits": [HITS, few]})
    text = "\n".join(line.rstrip() for line in text.splitlines())
    assert "7 of 49,873\ngenotypes\nfewer than 20: these scores are uncertain" in text, text
    assert "hits" not in printed(METRICS | {"hits": [HITS | {"samples": 0}]}).split("plots")[0]


def test_a_better_baseline_is_said_before_the_scores() -> None:
    metrics = METRICS | {"baselines": METRICS["baselines"] | {"fm": scored(0.7, 0.0040)}}
    lines = printed(metrics).splitlines()
    first = lines.index("fm predicts the test part better than DCell: MSE 0.0040 against 0.0041.")
    title = next(i for i, line in enumerate(lines) if line.startswith("test part:"))
    assert first < title
    assert "better than" not in printed()
