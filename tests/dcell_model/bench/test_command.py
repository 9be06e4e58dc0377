"""`dcell bench` works, from a build to its record; no test looks at a timing."""

import json
from pathlib import Path

import pytest

from data_specs.errors import InputError
from dcell_model import cli
from dcell_model.bench import command as run


def test_a_tiny_benchmark(
    tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    given = ["bench", "--plan", "tiny", "--data", str(tiny_build), "--out", str(out)]
    cli.main([*given, "--profiles", str(tmp_path / "profiles")])
    record = json.loads(out.read_text())
    measured = {row["engine"]: row for row in record["steps"] if "failed" not in row}
    assert {"reference", "drugcell", "stratum", "incremental"} <= set(measured)
    for row in measured.values():
        for what in ("forward", "backward", "optimiser", "samples_per_second"):
            assert 0 < row[what]["p20"] <= row[what]["median"] <= row[what]["p80"]
        assert row["peak_memory_mib"] > 0
        assert row["kernel_launches"] is None
    same = {measured[name]["parameters"] for name in ("reference", "stratum", "incremental")}
    assert len(same) == 1
    assert {row["how"] for row in record["loader"]} == set(run.loader.WORKERS)
    (work,) = record["cost_against_work"]
    assert work["samples"] == work["build"]["samples"] > 200
    assert record["gpu"].startswith("not measured")
    assert record["versions"]["torch"] != "not installed"
    for engine in ("reference", "stratum", "incremental"):
        profile = (tmp_path / "profiles" / f"{engine}-cpu.txt").read_text()
        assert profile.startswith(f"One step: {engine}, batch 8")
        assert max(map(len, profile.splitlines())) < 100
    printed = capsys.readouterr().out
    assert "samples/s" in printed
    assert max(map(len, printed[printed.index("GPU rows") :].splitlines())) <= 80


def test_a_setting_that_fails_is_a_row(tiny_build: Path) -> None:
    row = run.step.run(run.Step(data=str(tiny_build), engine="fastest", batch_size=2))
    assert "fastest" in row["failed"]


def test_no_build(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder of a finished build"):
        run.run(run.TINY, tmp_path / "bench.json", data=tmp_path)
