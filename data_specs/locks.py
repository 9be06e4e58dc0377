"""One process at a time writes into a folder; the second learns at once who holds it.

The lock is the operating system's, on a file beside the folder (`.NAME.dcell-lock`), or in it
(`.dcell-lock`) where nothing can be written beside it. It ends with the process that holds it,
however that ends, and the file is removed when the work is done. It says who has it.
"""

import contextlib
import errno
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from data_specs.errors import InputError
from data_specs.outputs import real_path

_HELD: set[Path] = set()  # by this process: nested work asks again
_ENDING = ".dcell-lock"
_INSIDE = _ENDING  # no folder beside it has this lock: it has a name
_PATIENCE = 0.3  # seconds: who only looks whether a folder is held has it for a moment
# Errors of file systems without locks.
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold a folder, which need not exist yet, while the block writes into it.

    Raises:
        InputError: another process has it, and says which; or the lock cannot be written.
    """
    real = real_path(folder)
    if real in _HELD:
        yield
        return
    from filelock import FileLock, Timeout

    with _folders_above(real):
        path = _lock_file(real)
        lock = FileLock(path, timeout=_PATIENCE, poll_interval=0.02, fallback_to_soft=False)
        try:
            lock.acquire()
        except Timeout:
            raise InputError(
                f"{folder}: is being written by another process: {_holder(path)}. Wait until it "
                "ends, or name another folder."
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise InputError(f"{folder}: cannot be written: {error.strerror}") from error
            print(f"{folder}: this disk has no locks; see that nobody else writes there",
                  file=sys.stderr)  # fmt: skip
        _HELD.add(real)
        try:
            if lock.is_locked:
                _say_who(path, folder)
            _refuse_written_around(folder, real)
            yield
        finally:
            _HELD.discard(real)
            if lock.is_locked:
                try:
                    path.unlink(missing_ok=True)  # before it is free: it is nobody else's yet
                finally:
                    lock.release()


def _refuse_written_around(folder: Path, real: Path) -> None:
    """Refuse a folder in one, or with one in it, that another process is writing.

    Both of two such processes have their locks before they look: one of them sees the other.
    """
    for above in real.parents:
        if above not in _HELD and (holder := _held(above)):
            raise InputError(
                f"{folder}: lies in {above}, which is being written by another process: {holder}. "
                "Wait until it ends, or name another folder."
            )
    for path in sorted(real.rglob(f".*{_ENDING[1:]}")):
        inner = path.parent
        if path.name != _INSIDE:
            inner /= path.name.removeprefix(".").removesuffix(_ENDING)
        if inner not in _HELD and (holder := _held(inner)):
            raise InputError(
                f"{folder}: {inner} in it is being written by another process: {holder}. Wait "
                "until it ends, or name another folder."
            )


def _held(folder: Path) -> str:
    """Who has a folder; empty if nobody."""
    from filelock import FileLock, Timeout

    for path in (folder.parent / lock_name(folder), folder / _INSIDE):
        if not path.is_file():
            continue
        lock = FileLock(path, timeout=0, fallback_to_soft=False)
        try:
            lock.acquire()
        except Timeout:
            return _holder(path)
        except OSError:  # nobody who may write here has it
            continue
        lock.release()
    return ""


def lock_name(folder: Path) -> str:
    """The name of the file that locks a folder, beside it."""
    return f".{folder.name}{_ENDING}"


def is_lock(name: str) -> bool:
    """Whether a file is the lock of the folder that it lies in."""
    return name == _INSIDE


def _lock_file(real: Path) -> Path:
    inside = real.is_dir() and not os.access(real.parent, os.W_OK)
    return real / _INSIDE if inside else real.parent / lock_name(real)


@contextlib.contextmanager
def _folders_above(real: Path) -> Iterator[None]:
    """Make the folders that the lock lies in; those that are still empty at the end go again."""
    new = [parent for parent in real.parents if not parent.exists()]
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{real}: cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        for parent in new:
            with contextlib.suppress(OSError):
                parent.rmdir()


def _say_who(path: Path, folder: Path) -> None:
    try:
        path.write_text(json.dumps(_this_process()), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}") from error


def _this_process() -> dict[str, str | int]:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return {
        "process": os.getpid(),
        "machine": platform.node(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": command,
    }


def _holder(path: Path) -> str:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return (
            f"process {told['process']} on {told['machine']}, since {told['since']} "
            f"({told['command']})"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has not yet said which it is"
