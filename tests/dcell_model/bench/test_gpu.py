"""`python -m dcell_model.bench gpu` on a CPU: its parts, and that a record says what it is of."""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import pytest

from dcell_model.bench import __main__ as program
from dcell_model.bench import gpu

ONE_TEST = "tests/dcell_model/dcell/gpu/test_replay.py::test_a_cuda_graph_is_replayed"
ROW = {"samples_per_second": 10.0, "profile": {"kernels_busy": 0.5}}


def test_all_settings_are_in_the_record(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    asked = []

    def measured(module: str, given: list[str], variables: dict[str, str], limit: float) -> Any:
        setting = json.loads(given[0])
        asked.append((setting["engine"], variables))
        if setting["engine"] == "cellmaps_vnn":
            raise gpu.MeasurementError("ModuleNotFoundError: No module named 'cellmaps_vnn'")
        return ROW

    monkeypatch.setattr(gpu, "measured", measured)
    monkeypatch.setattr(gpu, "build_simulated", lambda *_: (tiny_build, {"seconds": 1.0}))
    monkeypatch.setattr(gpu, "SMALL", dataclasses.replace(gpu.SMALL, tests=(ONE_TEST,)))
    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: False)
    out = tmp_path / "gpu"
    program.main(["gpu", "--out", str(out), "--data", str(tiny_build)])
    record = json.loads((out / "gpu.json").read_text())
    assert record["card"] is None
    assert "no CUDA device is visible" in record["note"]
    assert record["tests"]["skipped"] == 1
    assert record["tests"]["failed"] == 0
    simulated, own = record["data"]
    engines = [row["engine"] for row in simulated["steps"]]
    assert engines == ["incremental", "incremental", "torch", "reference", *gpu.PUBLISHED]
    assert [row["engine"] for row in own["steps"]] == engines[:4]
    assert "cellmaps_vnn" in simulated["steps"][-1]["failed"]
    assert own["path"] == str(tiny_build)
    assert dict(asked)["torch"][gpu.NATIVE] == "off"
    printed = capsys.readouterr().out
    assert "says nothing of a GPU" in printed
    assert "kernels busy 50%" in printed


def test_without_time_rows_say_so(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "build_simulated", lambda *_: (tiny_build, {"seconds": 1.0}))
    monkeypatch.setattr(gpu, "_tests", lambda *_: {"passed": 0, "failed": 0, "skipped": 0})
    size = dataclasses.replace(gpu.SMALL, limit=0.0)
    record = gpu.run(tmp_path / "gpu", size, "cpu", show=lambda _: None)
    assert all("no time" in row["failed"] for row in record["data"][0]["steps"])


def test_on_a_gpu_more_is_measured() -> None:
    rows = gpu.settings(gpu.LARGE, "data", "cuda", published=True)
    assert {row.precision for row in rows if row.engine == "incremental"} == {
        "fp32", "tf32", "bf16",
    }  # fmt: skip
    assert [row.graphs for row in rows].count(False) == 1
    assert {row.engine for row in rows} == {"incremental", "torch", "reference", *gpu.PUBLISHED}
    assert len(rows) * (gpu.LARGE.seconds + 15) < gpu.LARGE.limit  # with the start of a process


def test_tests_that_fail_are_named(tmp_path: Path) -> None:
    bad = tmp_path / "test_bad.py"
    bad.write_text("import pytest\n\n@pytest.mark.gpu\ndef test_it() -> None:\n    assert 1 == 2\n")
    given = ("-c", "pyproject.toml", "-p", "no:cacheprovider", str(bad))
    found = gpu._tests(given, time.monotonic() + 600)
    assert found["failed"] == 1
    assert "test_it" in found["failures"][0]
