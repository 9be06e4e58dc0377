"""Compiles the native pass: one library for each instruction set, side by side.

This is also the build backend of this project (PEP 517): setuptools, and before it the native pass.
Where there is no C++ compiler it asks pip for the package `ziglang`. What fails to compile does not
stop the installation; DCell says at its first use that it goes without. With `DCELL_NATIVE=off`
nothing is compiled, and nothing is fetched for it. On import the module needs only the standard
library: neither torch nor this project is there when a wheel is built.
"""

import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SOURCES = ("columns.cpp", "pairs.cpp", "pass.cpp", "plan.cpp")
HEADERS = (
    "activations.h", "columns.h", "functions.h", "hierarchy.h", "products.h", "team.h", "terms.h",
)  # fmt: skip
# By the names of `torch.backends.cpu.get_cpu_capability`, best first.
INSTRUCTION_SETS = {
    "AVX512": ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw", "-mfma"],
    "AVX2": ["-mavx2", "-mfma"],
    "DEFAULT": [],
}
# Multiply-adds may be fused; nothing else may differ from what the sources say (no -ffast-math).
# Only the C functions are visible: inline functions of one library must not serve another.
FLAGS = ["-std=c++20", "-O3", "-fPIC", "-shared", "-ffp-contract=fast", "-fvisibility=hidden"]

Config = dict[str, Any] | None


class BuildError(Exception):
    """A library could not be compiled."""


def source_hash() -> str:
    """What the sources and the flags are, in 16 digits: a library tells by it that it is stale."""
    parts = [(HERE / name).read_bytes() for name in sorted((*SOURCES, *HEADERS))]
    parts.append(repr((FLAGS, INSTRUCTION_SETS)).encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def instruction_sets() -> list[str]:
    """The sets that libraries are built for on this kind of processor."""
    x86 = platform.machine().lower() in {"x86_64", "amd64"}
    return [name for name in INSTRUCTION_SETS if x86 or name == "DEFAULT"]


def library(name: str) -> str:
    """The file name of the library of an instruction set."""
    return f"libdcell_{name.lower()}.so"


def compiler() -> list[str] | None:
    """The command of a C++ compiler: `CXX`, the system's, or that of the package ziglang."""
    if "CXX" in os.environ:
        return shlex.split(os.environ["CXX"])
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return [name]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "c++"]
    return None


def build(folder: Path, extra: tuple[str, ...] = ()) -> list[Path]:
    """Compile all libraries into a folder.

    Raises:
        BuildError: no compiler, or what the compiler said.
    """
    command = compiler()
    if command is None:
        raise BuildError("no C++ compiler was found (c++, g++, clang++ or the package ziglang)")
    built = []
    for name in instruction_sets():
        target = folder / library(name)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            partial = Path(scratch) / target.name
            call = [
                *command, *FLAGS, *INSTRUCTION_SETS[name], *extra,
                f'-DDCELL_SOURCES="{source_hash()}"', *(str(HERE / s) for s in SOURCES),
                "-o", str(partial), "-lpthread",
            ]  # fmt: skip
            try:
                done = subprocess.run(call, capture_output=True, text=True, check=False)
            except OSError as error:
                raise BuildError(f"{command[0]} could not be started: {error}") from error
            if done.returncode:
                raise BuildError(f"{shlex.join(call)}\n{done.stderr.strip()[-2000:]}")
            partial.replace(target)  # a process that has the old one mapped keeps it
        built.append(target)
    return built


def get_requires_for_build_wheel(config_settings: Config = None) -> list[str]:
    """What setuptools needs, and a compiler where there is none."""
    return [*_setuptools().get_requires_for_build_wheel(config_settings), *_compiler()]


def get_requires_for_build_editable(config_settings: Config = None) -> list[str]:
    """What setuptools needs, and a compiler where there is none."""
    return [*_setuptools().get_requires_for_build_editable(config_settings), *_compiler()]


def build_wheel(
    wheel_directory: str, config_settings: Config = None, metadata_directory: str | None = None
) -> str:
    """A wheel for this platform and any Python: the libraries know nothing of Python."""
    settings = dict(config_settings or {})
    if _try_to_build():
        name = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        settings["--build-option"] = [f"--plat-name={name}"]
    return str(_setuptools().build_wheel(wheel_directory, settings, metadata_directory))


def build_editable(
    wheel_directory: str, config_settings: Config = None, metadata_directory: str | None = None
) -> str:
    """An editable installation; the libraries lie beside their sources."""
    _try_to_build()
    return str(_setuptools().build_editable(wheel_directory, config_settings, metadata_directory))


def build_sdist(sdist_directory: str, config_settings: Config = None) -> str:
    """The sources, as setuptools packs them."""
    return str(_setuptools().build_sdist(sdist_directory, config_settings))


def _setuptools() -> Any:
    from setuptools import build_meta

    return build_meta


def _is_off() -> bool:
    return os.environ.get("DCELL_NATIVE") == "off"


def _compiler() -> list[str]:
    return [] if _is_off() or compiler() else ["ziglang>=0.13"]


def _try_to_build() -> bool:
    for name in INSTRUCTION_SETS:  # nothing of an earlier build may stay
        (HERE / library(name)).unlink(missing_ok=True)
    if _is_off():
        return False
    try:
        build(HERE)
    except BuildError as error:
        print(f"DCell's native pass could not be built: {error}", file=sys.stderr)
        return False
    return True
