"""`dcell bench`: what a plan measures, and its record, of timings that are given."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import pipeline.cli
from data_specs.errors import InputError
from dcell_model import cli
from dcell_model.bench import command as run

TIMES = {"p20": 1.0, "median": 2.0, "p80": 3.0}


def measured(setting: run.Step) -> dict[str, Any]:
    """A row as a measurement gives it; `cellmaps_vnn` fails."""
    if setting.engine == "cellmaps_vnn":
        return {"failed": "ModuleNotFoundError: No module named 'cellmaps_vnn'"}
    if setting.profile:
        Path(setting.profile).write_text(f"{setting.engine}, batch {setting.batch_size}")
    phases = dict.fromkeys(("forward", "backward", "optimiser", "samples_per_second"), TIMES)
    return phases | {"steps": 3, "parameters": 100, "peak_memory_mib": 1.0,
                     "step_memory_mib": 1.0, "kernel_launches": None}  # fmt: skip


def loaded(_: Path, ways: Iterable[str] = run.loader.WORKERS) -> list[dict[str, Any]]:
    return [{"how": how, "batch_size": 8, "samples_per_second": TIMES} for how in ways]


def timed(command: list[str]) -> dict[str, float]:
    pipeline.cli.main(command[3:])
    return {"seconds": 1.0, "peak_memory_mib": 1.0}


def test_all_of_a_plan_is_in_the_record(
    tiny_build: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(run.step, "run", measured)
    monkeypatch.setattr(run.loader, "run", loaded)
    monkeypatch.setattr(run, "_timed", timed)
    out = tmp_path / "bench.json"
    given = ["bench", "--plan", "tiny", "--data", str(tiny_build), "--out", str(out)]
    cli.main([*given, "--profiles", str(tmp_path / "profiles")])
    record = json.loads(out.read_text())
    rows = {row["engine"]: row for row in record["steps"]}
    assert list(rows) == ["reference", *run.PUBLISHED, "torch", "incremental"]
    assert {row["precision"] for row in rows.values()} == {"fp32", "bf16"}
    assert "failed" in rows["cellmaps_vnn"]
    assert all(row["yardstick_ms"].keys() == {"product", "copy"} for row in rows.values())
    assert {row["how"] for row in record["loader"]} == set(run.loader.WORKERS)
    (work,) = record["cost_against_work"]
    assert work["samples"] == work["build"]["samples"] > 200
    assert record["gpu"].startswith("not measured")
    assert record["versions"]["torch"] != "not installed"
    for engine in ("reference", "torch", "incremental"):
        profile = (tmp_path / "profiles" / f"{engine}-cpu.txt").read_text()
        assert profile == f"{engine}, batch 8"
    printed = capsys.readouterr().out
    assert "samples/s" in printed
    assert max(map(len, printed[printed.index("GPU rows") :].splitlines())) <= 80


def test_a_command_is_timed_or_says_why_it_failed() -> None:
    assert run._timed([sys.executable, "-c", "pass"]).keys() == {"seconds", "peak_memory_mib"}
    with pytest.raises(InputError, match="failed: no good"):
        run._timed([sys.executable, "-c", "import sys; sys.exit('no good')"])


def test_no_build(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder of a finished build"):
        run.run(run.TINY, tmp_path / "bench.json", data=tmp_path)
