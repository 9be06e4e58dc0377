"""The native pass under the sanitizers of the compiler, with `DCELL_LONG=1`."""

import os
import subprocess
from pathlib import Path

import pytest

from dcell_model.dcell.native import native_build

SANITIZERS = ["address,undefined", "thread"]


@pytest.mark.skipif("DCELL_LONG" not in os.environ, reason="takes minutes; DCELL_LONG=1 runs it")
@pytest.mark.skipif(native_build.compiler() is None, reason="no C++ compiler")
@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_nothing_is_found(tmp_path: Path, sanitizer: str) -> None:
    program = tmp_path / "drive"
    sources = [native_build.HERE / name for name in native_build.SOURCES]
    sources.append(Path(__file__).with_name("drive.cpp"))
    command = [
        *(native_build.compiler() or []), "-std=c++20", "-O1", "-g", f"-fsanitize={sanitizer}",
        "-fno-sanitize-recover=all", '-DDCELL_SOURCES="test"', f"-I{native_build.HERE}",
        *map(str, sources), "-o", str(program), "-lpthread",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, text=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert (done.returncode, done.stdout) == (0, "done\n")
