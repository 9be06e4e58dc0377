"""The record of threads: every way beside quiet and busy processors, and no loop left behind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from data_specs.layout import read_json
from dcell_model.bench import step, threads
from dcell_model.bench.step import Step


def test_every_way_is_timed_on_quiet_and_busy_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, str]] = []

    def timed(setting: Step, environment: Mapping[str, str]) -> dict[str, Any]:
        asked.append(dict(environment))
        return {"samples_per_second": {"median": 1000.0 * int(environment["OMP_NUM_THREADS"])}}

    monkeypatch.setattr(step, "run", timed)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: {0, 1})
    setting = Step(data="data/demo", engine="incremental", batch_size=256)
    record = threads.run([setting], tmp_path / "threads.json", rounds=2)
    rows = record["rows"]
    assert [row["busy_loops"] for row in rows] == [0] * 4 + [2] * 4
    assert [(row["threads"], row["spins"]) for row in rows[:4]] == [
        (1, 300_000), (2, 300_000), (2, 10_000), (2, 1000),
    ]  # fmt: skip
    assert rows[0]["samples_per_second"] == {"median": 1000.0, "all": [1000.0, 1000.0]}
    assert asked[:4] == asked[4:8] != []  # ways take turns
    assert read_json(tmp_path / "threads.json")["rows"] == rows
    assert "2 threads, GOMP_SPINCOUNT=1000: 2,000/s" in capsys.readouterr().out


def test_loops_end_with_what_they_stand_beside() -> None:
    with threads.busy(2) as loops:
        assert [loop.poll() for loop in loops] == [None, None]
    assert None not in [loop.returncode for loop in loops]
