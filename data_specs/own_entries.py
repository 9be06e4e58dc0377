"""The entries that a command wrote into a folder, as opposed to entries of others.

What a command writes is named by patterns, relative to its folder, that each part of a path must
match (`store/[0-9]*/data.mdb`). All else is foreign: files, links, whole folders.
"""

import contextlib
import errno
import filecmp
import itertools
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from data_specs.errors import InputError

Patterns = Sequence[str]


def is_own(entry: Path, own: Patterns) -> bool:
    """Whether a path, relative to the folder, is a file that the command writes."""
    return any(_fits(entry.parts, pattern.split("/")) for pattern in own)


def leads_to_own(entry: Path, own: Patterns) -> bool:
    """Whether the command writes below this path, so that it must be a folder."""
    depth = len(entry.parts)
    parts = (pattern.split("/") for pattern in own)
    return any(len(each) > depth and _fits(entry.parts, each[:depth]) for each in parts)


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    return len(parts) == len(pattern) and all(map(fnmatchcase, parts, pattern))


def own_files(folder: Path, own: Patterns, below: Path = Path()) -> Iterator[Path]:
    """The files in a folder that the command wrote, relative and sorted."""
    for name in _names(folder / below):
        entry = below / name
        if not _is_folder(folder / entry):
            if is_own(entry, own):
                yield entry
        elif leads_to_own(entry, own):
            yield from own_files(folder, own, entry)


def refuse_in_the_way(folder: Path, own: Patterns, below: Path = Path()) -> None:
    """Refuse a folder in which an entry to be written exists as another kind of entry.

    Raises:
        InputError: names the folder or link that is there.
    """
    for name in _names(folder / below):
        entry = below / name
        mode = (folder / entry).lstat().st_mode
        if is_own(entry, own) and not stat.S_ISREG(mode):
            raise InputError(f"{folder / entry}: is {kind_of(mode)}, where a file is to be {_MOVE}")
        if leads_to_own(entry, own):
            if not stat.S_ISDIR(mode):
                raise InputError(
                    f"{folder / entry}: is {kind_of(mode)}, where a folder is to be {_MOVE}"
                )
            refuse_in_the_way(folder, own, entry)


_MOVE = "written; move it away, or name another output"


def kind_of(mode: int) -> str:
    """The kind of a path in words, from `st_mode`."""
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a link", stat.S_IFREG: "a file"}
    return kinds.get(stat.S_IFMT(mode), "a device or pipe")


def remove_own(folder: Path, own: Patterns) -> None:
    """Remove the command's own entries, and folders that this leaves empty."""
    for entry in list(own_files(folder, own)):
        (folder / entry).unlink()
        for above in list(entry.parents)[:-1]:
            with contextlib.suppress(OSError):  # foreign things are in it
                (folder / above).rmdir()


def link_foreign(old: Path, new: Path, own: Patterns) -> None:
    """Let the foreign entries of a folder stand in the one that will replace it, too.

    Files are hard links, so that none is missing at any moment. Where the disk knows no hard links
    a file is omitted: `bring_foreign` moves it afterwards.

    Raises:
        InputError: something new stands at the place of a foreign entry.
    """
    for entry in _foreign(old, own):
        _link(old, new, entry)


def _link(old: Path, new: Path, entry: Path) -> None:
    source, target = old / entry, new / entry
    if stat.S_ISDIR(source.lstat().st_mode):
        if _is_folder(target) or not os.path.lexists(target):
            target.mkdir(parents=True, exist_ok=True)
            for name in _names(source):
                _link(old, new, entry / name)
            return
    elif not os.path.lexists(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise InputError(f"{source}: lies on another disk than {old}; {_MOVE}") from None
        return
    raise _conflict(source)


def refuse_conflicts(new: Path, old: Path, below: Path = Path()) -> None:
    """Refuse a new folder that is to fill an old one with something at the same place.

    Raises:
        InputError: names what is there.
    """
    for name in _names(new / below):
        entry = below / name
        if os.path.lexists(old / entry):
            if not (_is_folder(old / entry) and _is_folder(new / entry)):
                raise _conflict(old / entry)
            refuse_conflicts(new, old, entry)


def _conflict(target: Path) -> InputError:
    kind = kind_of(target.lstat().st_mode)
    return InputError(f"{target}: is {kind} of somebody else's, where something is to be {_MOVE}")


def bring_foreign(old: Path, new: Path, own: Patterns) -> None:
    """Move foreign entries of a replaced folder into the new one; remove the old one.

    May be called again after a kill at any moment. Nothing foreign is ever removed: of two files
    that differ, the newer keeps the name and the other lies beside it, as `NAME.kept-1`.
    """
    for _ in range(_TURNS):
        for entry in _foreign(old, own):
            _bring(old / entry, new / entry)
        _sweep(old, own)
        if not old.exists():
            return


_TURNS = 3  # also moves files that a process in the old folder has written meanwhile


def _bring(source: Path, target: Path) -> None:
    found, there = source.lstat(), _lstat(target)
    if stat.S_ISDIR(found.st_mode) and (there is None or stat.S_ISDIR(there.st_mode)):
        target.mkdir(parents=True, exist_ok=True)
        shutil.copystat(source, target, follow_symlinks=False)
        for folder in (source, target):  # so that it can be emptied, and filled
            with contextlib.suppress(PermissionError):
                folder.chmod(stat.S_IMODE(found.st_mode) | stat.S_IRWXU)
        for name in _names(source):
            _bring(source / name, target / name)
        with contextlib.suppress(PermissionError):
            target.chmod(stat.S_IMODE(found.st_mode))
            os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
        with contextlib.suppress(OSError):  # somebody has put something in it meanwhile
            source.rmdir()
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if there is None:
        source.rename(target)
    elif os.path.samestat(found, there) or _are_same(source, found, target, there):
        source.unlink()
    elif stat.S_ISDIR(there.st_mode) or found.st_mtime_ns <= there.st_mtime_ns:
        source.rename(_free(target))
    else:
        target.rename(_free(target))
        source.rename(target)


def _are_same(a: Path, of_a: os.stat_result, b: Path, of_b: os.stat_result) -> bool:
    if stat.S_IFMT(of_a.st_mode) != stat.S_IFMT(of_b.st_mode):
        return False
    if stat.S_ISLNK(of_a.st_mode):
        return a.readlink() == b.readlink()
    return stat.S_ISREG(of_a.st_mode) and filecmp.cmp(a, b, shallow=False)


def _free(target: Path) -> Path:
    return next(
        path for attempt in itertools.count(1)
        if not os.path.lexists(path := target.with_name(f"{target.name}.kept-{attempt}"))
    )  # fmt: skip


def _sweep(folder: Path, own: Patterns, below: Path = Path()) -> None:
    """Remove own files, and all folders that they were in and that are empty now."""
    for name in _names(folder / below):
        entry = below / name
        if _is_folder(folder / entry):
            if leads_to_own(entry, own):
                _sweep(folder, own, entry)
        elif _is_own_file(folder, entry, own):
            (folder / entry).unlink()
    with contextlib.suppress(OSError):
        (folder / below).rmdir()


def _is_own_file(folder: Path, entry: Path, own: Patterns) -> bool:
    """Whether it is a file that the command writes: a link or pipe of that name is not."""
    return is_own(entry, own) and stat.S_ISREG((folder / entry).lstat().st_mode)


def _foreign(folder: Path, own: Patterns, below: Path = Path()) -> Iterator[Path]:
    """The topmost foreign entries, relative and sorted."""
    for name in _names(folder / below):
        entry = below / name
        if _is_folder(folder / entry) and leads_to_own(entry, own):
            yield from _foreign(folder, own, entry)
        elif not _is_own_file(folder, entry, own):
            yield entry


def _names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))  # noqa: PTH208


def _is_folder(path: Path) -> bool:
    found = _lstat(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def _lstat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None
