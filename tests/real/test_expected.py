"""`dcell-data build` against an independent calculation on the real files."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli

DEFAULTS = "is_a, containment 4, redundant"
SETTINGS: dict[str, list[str]] = {
    "is_a, drop IGI, containment 6, redundant": [
        "annotations.exclude_evidence=[IGI]", "hierarchy.containment=6",
    ],
    "is_a + part_of, drop IGI, containment 6, redundant": [
        "annotations.exclude_evidence=[IGI]", "hierarchy.containment=6",
        "hierarchy.relations=[is_a, part_of]",
    ],
    "is_a, drop IGI and IEA, date cutoff 20101231, containment 4, redundant, orphans dropped": [
        "annotations.exclude_evidence=[IGI, IEA]", "annotations.date_cutoff=2010-12-31",
        "hierarchy.orphans=drop",
    ],
}  # fmt: skip


@pytest.mark.real
@pytest.mark.parametrize("name", SETTINGS)
def test_ledger_is_exactly_the_expected_one(real_data: Path, tmp_path: Path, name: str) -> None:
    expected = json.loads((real_data / "expected.json").read_text())
    assert set(expected["settings"]) == {DEFAULTS, *SETTINGS}
    pattern = expected["gene_id"].split(" of ")[1]
    ontology, annotations = (str(real_data / path) for path in expected["inputs"])
    arguments = ["build", "--ontology", ontology, "--annotations", annotations]
    arguments += ["--genotypes", str(real_data / "genotypes" / "tau_sga_trigenic.tsv")]
    settings = ["annotations.gene_id_columns=[11]", f"annotations.gene_id_pattern={pattern}"]
    arguments += ["--set", *settings, *SETTINGS[name], "--out", str(tmp_path / "build")]
    cli.main(arguments)
    check(tmp_path / "build", expected["settings"][name])


@pytest.mark.real
def test_so_is_that_of_the_defaults(real_data: Path, real_build: Path) -> None:
    expected = json.loads((real_data / "expected.json").read_text())
    check(real_build, expected["settings"][DEFAULTS])


def check(build: Path, figures: dict[str, Any]) -> None:
    ledger: dict[str, Any] = json.loads((build / "ledger.json").read_text())
    for key in figures.keys() - {"widths"}:
        assert ledger[key] == figures[key], key
    cli.main(["verify", str(build)])
