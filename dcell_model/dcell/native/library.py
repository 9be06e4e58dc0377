"""The compiled library of this processor, if there is one."""

import ctypes
import functools
import os
import warnings

import torch

from data_specs.errors import InputError
from dcell_model.dcell.native import native_build

VARIABLE = "DCELL_NATIVE"
_REMEDY = (
    "The engine without it gives the same results and is several times slower. To build it, "
    f"install a C++ compiler and then DCell again (`make install`). {VARIABLE}=off hides this."
)


class Tiling(ctypes.Structure):
    """The struct `Tiling` of `hierarchy.h`."""

    _fields_ = [("rows", ctypes.c_int32), ("neurons", ctypes.c_int32)]


@functools.cache
def load() -> ctypes.CDLL | None:
    """The library for the best instruction set of this processor, or None.

    The environment variable `DCELL_NATIVE` picks another one (`generic`, `avx2`, `avx512`) or none
    (`off`).

    Raises:
        InputError: `DCELL_NATIVE` names what this processor or installation lacks.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted == "off":
        return None
    names = {"generic": "DEFAULT", "avx2": "AVX2", "avx512": "AVX512"}
    if wanted and wanted not in names:
        raise InputError(f"{VARIABLE}={wanted} is unknown; expected generic, avx2, avx512 or off")
    able = _able()
    for name in [names[wanted]] if wanted else able:
        path = native_build.HERE / native_build.library(name)
        if name in able and path.exists():
            library = ctypes.CDLL(str(path))
            if _is_current(library):
                return _declared(library)
            _tell(f"{path} was built from other sources.")
            return None
        if wanted:
            reason = "is not there" if name in able else "needs another processor"
            raise InputError(f"{VARIABLE}={wanted}: {path} {reason}; unset {VARIABLE}")
    _tell("DCell's native pass is not built.")
    return None


def instruction_set() -> str | None:
    """That of the loaded library: `AVX512`, `AVX2` or `DEFAULT`."""
    library = load()
    return None if library is None else library._name.rsplit("_", 1)[1].split(".")[0].upper()


def _able() -> list[str]:
    """The instruction sets of this processor, best first."""
    sets = native_build.instruction_sets()
    best = torch.backends.cpu.get_cpu_capability()
    return sets[sets.index(best) :] if best in sets else ["DEFAULT"]


def _is_current(library: ctypes.CDLL) -> bool:
    library.dcell_sources.restype = ctypes.c_char_p
    return bool(library.dcell_sources().decode() == native_build.source_hash())


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    library.dcell_make_columns.restype = pointer
    library.dcell_make_columns.argtypes = [*[pointer] * 4, number, number, pointer]
    library.dcell_free_columns.restype = None
    library.dcell_free_columns.argtypes = [pointer]
    library.dcell_take_columns.restype = None
    library.dcell_take_columns.argtypes = [pointer] * 13
    library.dcell_size_plan.restype = None
    library.dcell_size_plan.argtypes = [pointer, pointer, Tiling, pointer]
    library.dcell_take_plan.argtypes = [pointer, pointer, Tiling, number, *[pointer] * 8]
    for real in ("float", "double"):
        getattr(library, f"dcell_sum_{real}").argtypes = [
            number,
            pointer,
            pointer,
            number,
            pointer,
            number,
            pointer,
            pointer,
        ]
        getattr(library, f"dcell_forward_{real}").argtypes = [pointer] * 5
        getattr(library, f"dcell_backward_{real}").argtypes = [pointer] * 9
        getattr(library, f"dcell_combine_{real}").argtypes = [
            *[pointer] * 7,
            number,
            pointer,
            pointer,
            pointer,
        ]
    return library


def _tell(message: str) -> None:
    warnings.warn(f"{message} {_REMEDY}", RuntimeWarning, stacklevel=3)
