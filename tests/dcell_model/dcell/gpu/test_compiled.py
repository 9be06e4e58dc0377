"""Every kernel compiles for an H100, without one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dcell_model.dcell.native import load
from tests.columns_in_torch import TWINS
from tests.conftest import CHECKOUT

triton = pytest.importorskip("triton", reason="Triton has no wheel for this platform")
PTXAS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "ptxas"


@pytest.mark.slow
@pytest.mark.skipif(load() is None, reason="plans need the native library")
@pytest.mark.skipif(not PTXAS.exists(), reason="this Triton has no assembler for NVIDIA's GPUs")
def test_kernels_compile_for_a_gpu(tmp_path: Path) -> None:
    """What the interpreter takes and the compiler refuses is found where there is no GPU."""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.compiled_kernels"], cwd=CHECKOUT,
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert {line.split()[0] for line in done.stdout.splitlines()} == set(TWINS)
