"""Training on two processes (gloo), as `torchrun` starts them."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from data_specs.parameters.sections import Parameters
from tests.conftest import CHECKOUT
from tests.processes import Program


def train_on_two(
    data: Path, out: Path, parameters: Parameters, *, torchrun: bool = False
) -> dict[str, Any]:
    """Train on a build; what `train.json` holds. The parameters lie beside `out` as JSON.

    Args:
        data: folder of a build.
        out: folder of the run.
        parameters: of the training.
        torchrun: whether it is `torchrun` itself that starts the two, which takes long.
    """
    sections = {name: dataclasses.asdict(getattr(parameters, name))
                for name in ("model", "dango", "multigraph", "train")}  # fmt: skip
    given = out.with_suffix(".json")
    given.write_text(json.dumps(sections))
    program = ["-m", "dcell_model.train", "--data", str(data), "--out", str(out),
               "--params", str(given)]  # fmt: skip
    if torchrun:
        _by_torchrun(program)
    else:
        _by_hand(program)
    record: dict[str, Any] = json.loads((out / "train.json").read_text())
    return record


def _by_torchrun(program: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         *program],
        cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def _by_hand(program: list[str]) -> None:
    """With the variables that `torchrun` sets."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {
        "TORCHELASTIC_RUN_ID": "two", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
        "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_WORLD_SIZE": "1", "GROUP_RANK": "0",
    }  # fmt: skip
    both = [Program(*program, **common, RANK=rank, LOCAL_RANK=rank) for rank in ("0", "1")]
    errors = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], "\n".join(errors)[-3000:]
