"""Same inputs and parameters, same bytes: whatever order Python's sets have, in every artefact."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dcell_model.checkpoint import format as checkpoint
from tests.conftest import CHECKOUT

# Seconds are in these; the rest of their content is compared.
RECORDS = {"scores.json", "train.json", "metrics.json", "baselines.json"}
PROGRAM = """
import sys
from pathlib import Path
import pytest
from data_specs.parameters import resolve
from dcell_model import baselines, evaluate, train
from pipeline.build import build
from tests.pipeline.conftest import build_here

out = Path(sys.argv[1])
if sys.argv[2] == "0":
    build_here(pytest.MonkeyPatch())
parameters = resolve({
    "dask": {"workers": 2},
    "simulate": {"terms": 40, "genes": 80, "annotations": 400, "queries": 10, "arrays": 30,
                 "triples": 200},
    "train": {"epochs": 2, "device": "cpu"}, "model": {"width_min": 3},
    "genotypes": {"piece_bytes": 8192, "part_rows": 64},
    "baselines": {"trials": 2, "mlp_epochs": 4, "fm_sweeps": 4},
})
build(parameters, out / "data")
train.run(out / "data", out / "run", parameters)
baselines.run(out / "data", out / "run" / "baselines.json", parameters)
evaluate.run(out / "data", out / "run", out / "run" / "baselines.json", out / "run")
"""


def content(path: Path) -> object:
    if path.name == "last.pt":  # its history has times, too
        state = checkpoint.load(path)
        return checkpoint.digest_of(state | {"history": without_times(state["history"])})
    if path.name not in RECORDS:
        return path.read_bytes()
    return without_times(json.loads(path.read_text()))


def without_times(value: object) -> object:
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if "seconds" not in k}
    return [without_times(v) for v in value] if isinstance(value, list) else value


@pytest.mark.slow
def test_hash_seed_and_workers_leave_every_byte_alone(tmp_path: Path) -> None:
    builds = []
    for seed, workers in (("0", "0"), ("4242", "2")):
        out = tmp_path / "same"  # paths of inputs are in the ledger
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(out), workers],
            cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=300,
            env=os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        builds.append(out.rename(tmp_path / seed))
    files = [
        {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
        for folder in builds
    ]
    assert files[0] == files[1]
    kinds = {path.name for path in files[0]}
    assert {"manifest.json", "cell_graph.json", "checkpoint.pt", "predictions.parquet"} <= kinds
    different = [
        str(path) for path in sorted(files[0])
        if content(builds[0] / path) != content(builds[1] / path)
    ]  # fmt: skip
    assert not different
