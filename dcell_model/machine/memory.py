"""How the process gets its memory."""

import ctypes
import sys
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as in malloc.h
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let glibc keep large blocks that are freed, in place of returning them to the system.

    A step allocates and frees the same large tensors again and again; each time the system would
    hand out and clear every page anew, which can take longer than the step's own work.

    Returns:
        Whether it was done: elsewhere than on glibc there is nothing to do.
    """
    mallopt = _glibc("mallopt")
    return mallopt is not None and bool(
        mallopt(_MMAP_THRESHOLD, _LARGEST) and mallopt(_TRIM_THRESHOLD, _LARGEST)
    )


def return_freed_memory() -> None:
    """Return freed memory to the system, to measure the memory in use."""
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _glibc(name: str) -> Any:
    """A function of glibc; None elsewhere."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)
