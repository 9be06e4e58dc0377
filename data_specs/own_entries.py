"""What a command wrote into a folder, told from what somebody else put there.

What a command writes is named by patterns, relative to its folder, that each part of a path must
match (`store/[0-9]*/data.mdb`). All else is foreign: files, links, whole folders.
"""

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
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
    """Refuse a folder where something of another kind stands at the place of what is written.

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
    """What a path is, in words, from `st_mode`."""
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a link", stat.S_IFREG: "a file"}
    return kinds.get(stat.S_IFMT(mode), "a device or pipe")


def remove_own(folder: Path, own: Patterns) -> None:
    """Remove what the command wrote; folders that are left empty by that go too."""
    for entry in list(own_files(folder, own)):
        (folder / entry).unlink()
        for above in list(entry.parents)[:-1]:
            with contextlib.suppress(OSError):  # foreign things are in it
                (folder / above).rmdir()


Linked = dict[Path, os.stat_result]


def link_foreign(old: Path, new: Path, own: Patterns) -> Linked:
    """Let the foreign entries of a folder stand in the one that will replace it, too.

    Files are hard links, so that none is missing at any moment. Where the disk knows no hard links
    a file is left out: `move_foreign` brings it afterwards.

    Raises:
        InputError: something new stands at the place of a foreign entry of another kind.
    """
    linked: Linked = {}

    def link(source: Path, entry: Path) -> None:
        with contextlib.suppress(OSError):
            os.link(source, new / entry, follow_symlinks=False)
            linked[entry] = source.lstat()

    for entry in _foreign(old, own):
        _bring(old, new, entry, link)
    return linked


def move_foreign(old: Path, new: Path, own: Patterns, linked: Linked) -> None:
    """Bring what is foreign in a folder, and not yet in the one that has replaced it."""

    def move(source: Path, entry: Path) -> None:
        source.rename(new / entry)

    for entry, before in linked.items():  # written anew since it was linked
        now = _lstat(old / entry)
        if now is not None and not os.path.samestat(now, before):
            (old / entry).replace(new / entry)
    for entry in _foreign(old, own):
        _bring(old, new, entry, move)


def _bring(old: Path, new: Path, entry: Path, file: Callable[[Path, Path], None]) -> None:
    """Bring one foreign entry by the function given, a folder with all that is in it."""
    source, place = old / entry, new / entry
    found, there = source.lstat(), _lstat(place)
    if stat.S_ISDIR(found.st_mode):
        if there is None:
            place.mkdir(parents=True)
        elif not stat.S_ISDIR(there.st_mode):
            raise _between(entry, found, there)
        for name in _names(source):
            _bring(old, new, entry / name, file)
        if there is None:
            shutil.copystat(source, place, follow_symlinks=False)
    elif there is None:
        place.parent.mkdir(parents=True, exist_ok=True)
        file(source, entry)
    elif stat.S_IFMT(found.st_mode) != stat.S_IFMT(there.st_mode):
        raise _between(entry, found, there)
    # Else the command writes this file, or it is linked already.


def _between(entry: Path, old: os.stat_result, new: os.stat_result) -> InputError:
    return InputError(
        f"{entry}: is {kind_of(old.st_mode)}, where {kind_of(new.st_mode)} is to be {_MOVE}"
    )


def _foreign(folder: Path, own: Patterns, below: Path = Path()) -> Iterator[Path]:
    """The topmost foreign entries, relative and sorted."""
    for name in _names(folder / below):
        entry = below / name
        if _is_folder(folder / entry) and leads_to_own(entry, own):
            yield from _foreign(folder, own, entry)
        elif not is_own(entry, own):
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
