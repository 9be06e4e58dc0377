"""What is measured of a step has all its figures; no test looks at how large they are."""

from pathlib import Path

import pytest

from dcell_model.bench import step
from dcell_model.bench.step import Step


@pytest.mark.parametrize(
    ("engine", "precision"),
    [("reference", "fp32"), ("drugcell", "fp32"), ("torch", "fp32"), ("incremental", "bf16")],
)
def test_a_row_has_all_figures(
    tiny_build: Path, tmp_path: Path, engine: str, precision: str
) -> None:
    path = tmp_path / "profile.txt"
    setting = Step(data=str(tiny_build), engine=engine, batch_size=8, precision=precision,
                   seconds=0, profile=str(path))  # fmt: skip
    row = step.measure(setting)
    for what in (*step.PHASES, "samples_per_second"):
        assert 0 < row[what]["p20"] <= row[what]["median"] <= row[what]["p80"]
    assert row["steps"] == 3
    assert row["peak_memory_mib"] > 0
    assert row["kernel_launches"] is None
    profile = path.read_text()
    assert profile.startswith(f"One step: {engine}, batch 8")
    assert max(map(len, profile.splitlines())) < 100


def test_engines_of_this_project_have_the_same_parameters(tiny_build: Path) -> None:
    names = ("reference", "incremental")
    rows = [
        step.measure(Step(data=str(tiny_build), engine=name, batch_size=2, seconds=0))
        for name in names
    ]
    assert len({row["parameters"] for row in rows}) == 1


def test_a_setting_that_fails_is_a_row(tiny_build: Path) -> None:
    """In a process of its own, as every measurement."""
    row = step.run(Step(data=str(tiny_build), engine="fastest", batch_size=2))
    assert "fastest" in row["failed"]
