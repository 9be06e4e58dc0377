"""The record of copies: both schemes compute the same, and are timed on the same build."""

from pathlib import Path

import pytest

from data_specs.layout import read_json
from dcell_model.bench import graph_copies
from dcell_model.bench.graph_copies import Setting, main, measure
from dcell_model.bench.process import MeasurementError


def test_both_schemes_are_timed(simulated_build: Path) -> None:
    once, copies = (
        measure(Setting(data=str(simulated_build), scheme=scheme, batch_size=4, seconds=0.01))
        for scheme in graph_copies.SCHEMES
    )
    assert copies["encoded_genes"] == 4 * once["encoded_genes"] > 4
    for key in ("parameters", "edges", "networks"):
        assert once[key] == copies[key] > 0
    for row in (once, copies):
        assert row["steps"] >= 3
        times = row["milliseconds"]
        assert 0 < times["p20"] <= times["median"] <= times["p80"]
        assert row["peak_memory_mib"] > 10


def test_a_record_says_what_failed(
    simulated_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def instead(_: str, arguments: list[str], environment: dict[str, str]) -> dict[str, object]:
        assert environment == {"OMP_NUM_THREADS": "2"}
        scheme = "copies" if '"scheme": "copies"' in arguments[0] else "once"
        if scheme == "copies" and '"batch_size": 64' in arguments[0]:
            raise MeasurementError("…\nout of memory")
        factor = 10 if scheme == "copies" else 1
        return {"milliseconds": {"median": 2.0 * factor}, "encoded_genes": 50 * factor}

    monkeypatch.setattr(graph_copies, "measured", instead)
    out = tmp_path / "copies.json"
    main(["--data", str(simulated_build), "--batch-sizes", "8", "64", "--threads", "2",
          "--out", str(out)])  # fmt: skip
    printed = capsys.readouterr().out
    assert "batch 8: 2.0 ms with 50 genes encoded once, 20.0 ms with 500 in copies: 10.0 times" in (
        printed
    )
    assert "batch 64: copies: out of memory" in printed
    rows = read_json(out)["rows"]
    assert [(row["scheme"], row["batch_size"]) for row in rows] == [
        ("once", 8), ("copies", 8), ("once", 64), ("copies", 64),
    ]  # fmt: skip
    assert rows[3]["failed"] == "out of memory"


def test_no_networks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--data", str(tmp_path), "--out", str(tmp_path / "copies.json")])
    assert "no networks; build the data with" in capsys.readouterr().err
