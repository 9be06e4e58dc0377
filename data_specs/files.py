"""How artefacts reach the disk: beside the target first, then renamed."""

import contextlib
import errno
import glob
import hashlib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from data_specs.errors import InputError, fault_of_the_disk
from data_specs.outputs import refuse_no_file, refuse_no_folder
from data_specs.own_entries import (
    Linked,
    Patterns,
    link_foreign,
    move_foreign,
    own_files,
    refuse_in_the_way,
)

_HERE = platform.node().replace(".", "_").replace("-", "_") or "host"
_WORKPLACE = re.compile(rf"\..+\.{re.escape(_HERE)}-\d+\.[^.]+")


@contextlib.contextmanager
def replacing_file(target: Path) -> Iterator[Path]:
    """Yield a path beside `target`; the file written there takes its place, or vanishes.

    The target is never half there. A link is written through and stays a link.

    Raises:
        InputError: the target is a folder or a device, before any work; or the disk is full or
            the folder cannot be written; says so, and where.
    """
    real = refuse_no_file(target)
    with _workplace(target, real, real.parent) as workplace:
        partial = workplace / real.name
        yield partial
        partial.replace(real)


@contextlib.contextmanager
def replacing_folder(target: Path, own: Patterns = ()) -> Iterator[Path]:
    """Yield a path beside `target`; the folder made there takes its place, or vanishes.

    Readers find the old one or the new one, whole. What is foreign in the old one is in the new one
    too: all but what is written now, and what `own` names. A process that is killed between taking
    the old one away and putting the new one there has written the new one whole: whoever next
    writes here puts it there (`recover`). A folder that cannot be renamed, since it is where the
    process stands or where a disk is mounted, is filled in place, if nothing of its own is in it.

    Args:
        target: folder; a link to one is written through and stays a link.
        own: patterns of all that is ever written here (`data_specs.own_entries`).

    Raises:
        InputError: as `replacing_file`; something foreign is in the way, before any work.
    """
    real = refuse_no_folder(target)
    stays = real.is_dir() and _cannot_be_renamed(real)
    if real.is_dir():
        refuse_in_the_way(real, own)
        if stays and any(own_files(real, own)):
            raise InputError(
                f"{target}: cannot be replaced from within, or where a disk is mounted; go to "
                "another folder, or name another one"
            )
    with _workplace(target, real, real if stays else real.parent, own) as workplace:
        partial, previous = workplace / real.name, workplace / _PREVIOUS
        yield partial
        assert partial.is_dir(), "a folder is to be written here"
        if stays:
            partial.rename(workplace / _READY)
            _fill(real, workplace)
            return
        linked: Linked = {}
        if real.is_dir():
            linked = link_foreign(real, partial, own)
            real.rename(previous)
        try:
            partial.rename(real)
        except OSError:
            if previous.exists():
                previous.rename(real)
            raise
        if previous.exists():
            move_foreign(previous, real, own, linked)
            shutil.rmtree(previous, ignore_errors=True)


_PREVIOUS, _READY = ".previous", ".ready"


def _cannot_be_renamed(folder: Path) -> bool:
    return os.path.ismount(folder) or Path.cwd().is_relative_to(folder)


def _fill(folder: Path, workplace: Path) -> None:
    move_foreign(workplace / _READY, folder, (), {})
    shutil.rmtree(workplace / _READY, ignore_errors=True)


@contextlib.contextmanager
def _workplace(target: Path, real: Path, where: Path, own: Patterns = ()) -> Iterator[Path]:
    """A folder to write in, removed at the end unless there is still something old in it."""
    try:
        where.mkdir(parents=True, exist_ok=True)
        recover(target, own)
        prefix = f".{real.name}.{_HERE}-{os.getpid()}."
        workplace = Path(tempfile.mkdtemp(prefix=prefix, dir=where))
    except OSError as error:
        raise InputError(f"{shown(target)}: cannot be written: {error.strerror}") from error
    try:
        yield workplace
    except Exception as error:
        reason = None if isinstance(error, InputError) else fault_of_the_disk(error)
        if reason is None and isinstance(error, OSError) and error.errno in _CHANGED_MEANWHILE:
            reason = f"{os.strerror(error.errno)} (changed by another program meanwhile)"
        if reason is None:
            raise
        named = getattr(error, "filename", None) or workplace
        at = target if Path(named).is_relative_to(workplace) or Path(named) == real else Path(named)
        raise InputError(
            f"{shown(at)}: cannot be {'written' if at is target else 'used'}: {reason}. "
            "Nothing was left behind; what was there before is untouched."
        ) from error
    finally:
        # What is still to be brought home stays until `recover` can do it.
        if not ((workplace / _PREVIOUS).exists() or (workplace / _READY).exists()):
            shutil.rmtree(workplace, ignore_errors=True)


_CHANGED_MEANWHILE = (errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY)


def shown(path: Path) -> Path:
    """The path as the user knows it, when it lies in a folder that is still being written."""
    return Path(*(part for part in path.parts if not is_workplace(part)))


def is_workplace(name: str) -> bool:
    """Whether a name is that of a folder in which something is, or was, being written."""
    return _WORKPLACE.fullmatch(name) is not None


def recover(target: Path, own: Patterns = ()) -> None:
    """Put in place what processes of this machine had finished when they were killed, else remove.

    Whatever has a previous one beside it was whole; what is foreign in that is brought home.
    """
    real = Path(os.path.realpath(target))
    for folder in (real.parent, real):
        if not folder.is_dir():
            continue
        for left in folder.glob(f".{glob.escape(real.name)}.{_HERE}-*.*"):
            process = left.name.removeprefix(f".{real.name}.{_HERE}-").partition(".")[0]
            if process.isdecimal() and _is_dead(int(process)):
                if (left / _PREVIOUS).exists():
                    if not real.exists():
                        (left / real.name).rename(real)
                    move_foreign(left / _PREVIOUS, real, own, {})
                if (left / _READY).exists():
                    _fill(real, left)
                shutil.rmtree(left, ignore_errors=True)


def _is_dead(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # somebody else's, and alive
    return False


def write_text(target: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing_file(target) as partial:
        partial.write_text(text, encoding="utf-8")


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size
