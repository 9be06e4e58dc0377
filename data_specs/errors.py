"""The errors that a user can cause.

Messages say what is wrong, where, what was found, what was expected and what to do. Console
commands print them without a traceback and exit with status 1; from Python they are `ValueError`s.
"""

import contextlib
import errno
import os
import re
import select
import sys
from collections.abc import Iterator

from data_specs.terminal import clean_output


class InputError(ValueError):
    """Something that the user gave cannot be used as it is."""


class ParameterError(InputError):
    """A parameter is unknown, of the wrong type or out of its range."""


class ArtefactError(InputError):
    """A built artefact is damaged, of another version, or belongs to other data."""


def fault_of_the_disk(error: Exception) -> str | None:
    """Why reading or writing failed where the disk or its rights are to blame; else None.

    Polars and LMDB give the operating system's error only in words.
    """
    code = getattr(error, "errno", None)
    if code is None and (found := re.search(r"\(os error (\d+)\)", str(error))):
        code = int(found[1])
    return os.strerror(code) if code in _FAULTS_OF_THE_DISK else None


_FAULTS_OF_THE_DISK = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO,
)  # fmt: skip


def _nobody_reads() -> bool:
    """Whether whoever read the standard output has gone (`dcell summary … | head`)."""
    try:
        output = sys.stdout.fileno()
    except OSError:  # it is no file
        return False
    poll = select.poll()
    poll.register(output, select.POLLOUT)
    if not any(event & select.POLLERR for _, event in poll.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), output)  # Python flushes once more at its end
    return True


@contextlib.contextmanager
def exit_with_message() -> Iterator[None]:
    """Let a console command print cleanly, and end with one line and status 1, no traceback.

    Options are read inside, because argparse prints them, and they may hold any character.
    """
    with clean_output(), _errors_as_lines():
        yield


@contextlib.contextmanager
def _errors_as_lines() -> Iterator[None]:
    try:
        yield
        sys.stdout.flush()  # here, where it can still be seen that nobody reads on
    except BrokenPipeError:
        if not _nobody_reads():  # a pipe to somebody else broke
            raise
        raise SystemExit(1) from None
    except OSError as error:
        reason = fault_of_the_disk(error)
        if reason is None:
            raise
        print(f"error: {error.filename or 'the disk'}: {reason}", file=sys.stderr)
        raise SystemExit(1) from None
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt as interruption:
        print(str(interruption) or "interrupted; earlier outputs are untouched", file=sys.stderr)
        raise SystemExit(130) from None
