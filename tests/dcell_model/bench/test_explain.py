"""The recovery of planted terms is what it says, and the record has its command."""

from pathlib import Path

import pyarrow as pa
import pytest

from data_specs.layout import read_json
from dcell_model.bench.explain import main, recovery
from dcell_model.cli import main as dcell


def test_recovery() -> None:
    rows = [
        {"term": "root", "stratum": 0, "score": 9.0, "fdr": 0.0, "reason": None},
        {"term": "a", "stratum": 1, "score": 3.0, "fdr": 0.01, "reason": None},
        {"term": "b", "stratum": 1, "score": 1.0, "fdr": 0.5, "reason": None},
        {"term": "c", "stratum": 1, "score": 1.0, "fdr": 0.02, "reason": None},
        {"term": "d", "stratum": 1, "score": None, "fdr": None, "reason": "fewer than 20 samples"},
    ]
    names = ("ablation", "gradient_input", "head_pearson", "rlipp")
    table = pa.Table.from_pylist([
        {k: row[k] for k in ("term", "stratum", "reason")}
        | {"samples": 5, "rlipp_gain": row["score"]}
        | dict.fromkeys(names, row["score"]) | {f"{name}_fdr": row["fdr"] for name in names}
        for row in rows
    ])  # fmt: skip
    found = recovery(table, {"a", "b", "d", "root"})
    assert (found["planted"], found["others"]) == (2, 1)
    assert found["auc"]["ablation"] == 0.75  # one above, one a tie
    assert found["auc"]["samples"] == 0.5
    assert found["significant"]["ablation"] == [1, 1]


def test_record(
    simulated_build: Path, tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    dcell(["train", "--data", str(simulated_build), "--out", str(run), "--set", "train.epochs=1"])
    capsys.readouterr()
    common = ["--permutations", "3", "--out", str(tmp_path / "record.json")]
    main(["--data", str(simulated_build), "--run", str(run), *common])
    record = read_json(tmp_path / "record.json")
    assert record["mean_auc"] == record["runs"][0]["auc"]
    assert "ablation" in capsys.readouterr().out
    assert {"command", "commit", "hardware", "versions"} <= record.keys()
    for data in ([tiny_build], [simulated_build] * 2):
        with pytest.raises(SystemExit):
            main(["--data", *map(str, data), "--run", str(run), *common])
        assert "error: " in capsys.readouterr().err
