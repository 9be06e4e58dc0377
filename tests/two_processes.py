"""Training on two processes (gloo), as `torchrun` starts them."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from data_specs.parameters.sections import Parameters
from tests.conftest import CHECKOUT


def train_on_two(data: Path, out: Path, parameters: Parameters) -> dict[str, Any]:
    """Train on a build; what `train.json` holds. The parameters lie beside `out` as JSON."""
    sections = {name: dataclasses.asdict(getattr(parameters, name))
                for name in ("model", "dango", "train")}  # fmt: skip
    given = out.with_suffix(".json")
    given.write_text(json.dumps(sections))
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         "-m", "dcell_model.train", "--data", str(data), "--out", str(out), "--params", str(given)],
        cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    record: dict[str, Any] = json.loads((out / "train.json").read_text())
    return record
