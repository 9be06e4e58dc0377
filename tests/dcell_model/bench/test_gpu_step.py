"""What is measured of training on a GPU, here on the CPU, and what a profile says."""

from collections import Counter
from pathlib import Path

import pytest

from dcell_model.bench.gpu_step import LOOKED_INTO, GpuStep, measure, summary_of


@pytest.mark.parametrize(
    ("engine", "precision"),
    [("incremental", "fp32"), ("incremental", "bf16"), ("reference", "fp32"), ("drugcell", "fp32")],
)
def test_a_row_has_all_figures(tiny_build: Path, engine: str, precision: str) -> None:
    row = measure(GpuStep(data=str(tiny_build), engine=engine, precision=precision, batch_size=4,
                          seconds=0, device="cpu"))  # fmt: skip
    assert row["samples_per_second"] > 0
    assert row["steps"] == 3
    assert all(row[f"{phase}_ms"] > 0 for phase in ("forward", "backward", "optimiser"))
    assert row["profile"]["kernels_busy"] is None
    assert "peak_memory_mib" not in row
    if engine == "drugcell":
        assert "gradient_error" not in row
    else:
        assert 0 < row["gradient_error"] < (1 if precision == "bf16" else 1e-3)


def test_a_profile_counts_kernels_and_the_time_in_them() -> None:
    """Kernels that overlap are counted once; copies are not kernels."""
    events = [("a", 0.0, 10.0), ("b", 5.0, 20.0), ("Memcpy HtoD", 20.0, 30.0), ("a", 30.0, 40.0)]
    found = summary_of(events, Counter(cudaGraphLaunch=2 * LOOKED_INTO))
    assert found["kernels"] == pytest.approx(3 / LOOKED_INTO, abs=0.1)
    assert found["copies"] == pytest.approx(1 / LOOKED_INTO, abs=0.1)
    assert found["kernels_busy"] == 30 / 40
    assert found["calls"] == {"cudaGraphLaunch": 2}
    assert list(found["longest_ms"]) == ["a", "b"]
    assert summary_of([], Counter())["kernels_busy"] is None
