"""How artefacts reach the disk: beside the target first, then renamed."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from data_specs.errors import InputError, fault_of_the_disk
from data_specs.mounts import mounted_in
from data_specs.outputs import refuse_no_file, refuse_no_folder
from data_specs.own_entries import Patterns, own_files, refuse_in_the_way
from data_specs.workplaces import Workplace, recover, shown, workplace


@contextlib.contextmanager
def replacing_file(target: Path) -> Iterator[Path]:
    """Yield a path beside `target`; the file written there takes its place, or vanishes.

    The target is never half there. A link is written through and stays a link.

    Raises:
        InputError: the target is a folder, a device or write-protected, before any work; or the
            disk is full or the folder cannot be written; says so, and where.
    """
    real = refuse_no_file(target)
    with _working(target, real, real.parent) as work:
        yield work.new
        work.new.replace(real)


@contextlib.contextmanager
def replacing_folder(target: Path, own: Patterns) -> Iterator[Path]:
    """Yield a path beside `target`; the folder made there takes its place, or vanishes.

    Readers find the old one or the new one, whole. What is foreign in the old one, all that `own`
    does not name, is in the new one too. A process that is killed between taking the old one away
    and putting the new one there has written the new one whole: whoever next writes here puts it
    there (`data_specs.workplaces.recover`). A folder that cannot be renamed, since it is where the
    process stands or where a disk is mounted, is filled in place, if nothing of its own is in it.

    Args:
        target: folder; a link to one is written through and stays a link.
        own: patterns of all that is ever written here (`data_specs.own_entries`).

    Raises:
        InputError: as `replacing_file`; something foreign is in the way, before any work where
            `own` tells; a disk is mounted in the folder.
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
        if not stays and (mounted := mounted_in(real)):
            raise InputError(
                f"{target}: cannot be replaced, since {mounted} in it is another disk; name "
                "another folder, or unmount that"
            )
    with _working(target, real, real if stays else real.parent, own) as work:
        yield work.new
        assert work.new.is_dir(), "a folder is to be written here"
        if stays:
            work.fill()
        else:
            work.exchange()


def _cannot_be_renamed(folder: Path) -> bool:
    return (
        os.path.ismount(folder)
        or Path.cwd().is_relative_to(folder)
        or not os.access(folder.parent, os.W_OK)
    )


@contextlib.contextmanager
def _working(target: Path, real: Path, where: Path, own: Patterns = ()) -> Iterator[Workplace]:
    """A workplace whose errors name the path and the reason."""
    with contextlib.ExitStack() as stack:
        try:
            where.mkdir(parents=True, exist_ok=True)
            recover(target)
            work = stack.enter_context(workplace(real, where, own))
        except OSError as error:
            raise InputError(f"{shown(target)}: cannot be written: {error.strerror}") from error
        try:
            yield work
        except Exception as error:
            reason = None if isinstance(error, InputError) else fault_of_the_disk(error)
            if reason is None and isinstance(error, OSError) and error.errno in _CHANGED_MEANWHILE:
                reason = f"{os.strerror(error.errno)} (changed by another program meanwhile)"
            if reason is None:
                raise
            named = Path(getattr(error, "filename", None) or work.folder)
            failed = target if named.is_relative_to(work.folder) or named == real else named
            raise InputError(
                f"{shown(failed)}: cannot be {'written' if failed is target else 'used'}: "
                f"{reason}. "
                "Nothing was left behind; earlier files are untouched."
            ) from error


_CHANGED_MEANWHILE = (errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY)


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
