"""How the process gets its memory."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as in malloc.h
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let glibc keep large blocks that are freed, in place of returning them to the system.

    A step allocates and frees the same large tensors again and again; each time the system would
    hand out and clear every page anew, which can take longer than the step's own work.

    Returns:
        Whether it was done: elsewhere than on glibc there is nothing to do.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST) and mallopt(_TRIM_THRESHOLD, _LARGEST))
