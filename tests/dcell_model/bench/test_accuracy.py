"""The record of float32's errors against float64."""

from pathlib import Path

import pytest

from data_specs.layout import read_json
from dcell_model.bench import accuracy
from tests.engines import running


def test_errors_of_every_pass(
    tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running("native"):
        accuracy.main(
            ["--data", str(tiny_build), "--batches", "2", "--batch-size", "20",
             "--out", str(tmp_path / "accuracy.json")]
        )  # fmt: skip
    record = read_json(tmp_path / "accuracy.json")
    for order in ("act_norm", "norm_act"):
        for name in ("native", "torch", "weights"):
            row = record[order][name]
            assert len(row["errors"]) == 2
            assert 0 < row["median"] <= row["worst"] < 1e-2
    assert capsys.readouterr().out.count("median") == 6
