"""Which column says how certain another one is, and what is said of it."""

from pathlib import Path

import pytest

from data_specs.genotype_tables.headers import PHENOTYPES
from data_specs.layout import DataLayout, write_json
from data_specs.measurement_error import (
    best_scores,
    ceiling_in_build,
    ceiling_of,
    is_measured,
    sd_column,
    told_by,
    weighing_column,
)

COSTANZO_2010 = ("epsilon", "std", "p_value")


@pytest.mark.parametrize(
    ("phenotype", "columns", "own", "weighing"),
    [
        ("epsilon", COSTANZO_2010, "std", "std"),
        ("fitness", PHENOTYPES, "fitness_sd", "fitness_sd"),
        ("interaction", PHENOTYPES, None, "fitness_sd"),
        ("interaction", ("interaction", "p_value"), None, None),
        ("growth", ("score", "sd", "growth", "Growth_SD"), "Growth_SD", "Growth_SD"),
        ("growth", ("score", "sd", "growth"), None, None),
        ("std", ("std", "p_value"), None, None),
        ("score", (), None, None),
    ],
)
def test_column_of_standard_deviations(
    phenotype: str, columns: tuple[str, ...], own: str | None, weighing: str | None
) -> None:
    assert sd_column(phenotype, columns) == own
    assert weighing_column(phenotype, columns) == weighing


def test_what_is_measured() -> None:
    assert [n for n in COSTANZO_2010 if is_measured(n, COSTANZO_2010)] == ["epsilon"]
    found = [name for name in PHENOTYPES if is_measured(name, PHENOTYPES)]
    assert found == ["interaction", "raw_interaction", "fitness"]


REPLICATES = {
    "source": "replicates", "genotypes": 1748, "of": 165_690, "repeats": 2033, "copies": 23_586,
    "error_variance": 0.0089, "variance": 0.022, "ceiling_pearson": 0.772, "ceiling_r2": 0.596,
}  # fmt: skip


def test_in_words() -> None:
    assert told_by(REPLICATES) == (
        "by repeats of 1,748 of 165,690 genotypes, not counting 23,586 copied rows"
    )
    assert told_by({**REPLICATES, "copies": 0}) == "by repeats of 1,748 of 165,690 genotypes"
    by_sd = {**REPLICATES, "source": "sd", "column": "std"}
    assert told_by(by_sd) == "by column std of 1,748 genotypes"
    expected = "a perfect model would reach a Pearson of 0.772 (R² 0.596)"
    assert best_scores(REPLICATES) == expected


def test_the_first_estimate_is_shown() -> None:
    ledger = {"noise": {"epsilon": [REPLICATES, {"source": "sd"}], "fitness": []}}
    assert ceiling_of(ledger, "epsilon") == REPLICATES
    assert ceiling_of(ledger, "fitness") is None
    assert ceiling_of({}, "epsilon") is None, "a build of an earlier version"


def test_of_a_build(tmp_path: Path) -> None:
    layout = DataLayout(tmp_path)
    assert ceiling_in_build(layout, "epsilon") is None
    write_json(layout.genotypes / "ledger.json", {"noise": {"epsilon": [REPLICATES]}})
    assert ceiling_in_build(layout, "epsilon") == REPLICATES
