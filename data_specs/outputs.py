"""Where a command may write: asked once before any work, by every command, in the same words."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from data_specs.errors import InputError
from data_specs.own_entries import Patterns, is_own, kind_of, own_files, refuse_in_the_way


def output_path(text: str | Path) -> Path:
    """The path of `--out`, without `sub/..`: no file can be written there if no `sub` exists."""
    path = Path(text)
    return Path(os.path.realpath(path)) if ".." in path.parts else path


def real_path(target: Path) -> Path:
    """Where a path leads: links are followed, `.` and `..` resolved.

    Raises:
        InputError: it is a link that leads nowhere, or the root of all files.
    """
    if target.is_symlink() and not target.exists():
        raise InputError(
            f"{target}: is a link to {target.readlink()}, which does not exist; make that, or "
            "remove the link"
        )
    real = Path(os.path.realpath(target))
    if not real.name:
        raise InputError(f"{target}: cannot be an output; name a file or folder in it")
    return real


def refuse_no_file(target: Path) -> Path:
    """Refuse a path at which no file can be written; the path that it leads to.

    Raises:
        InputError: says what is there.
    """
    real = real_path(target)
    if real.is_dir():
        raise InputError(
            f"{target}: is a folder; expected a file to write, such as {target / 'NAME'}"
        )
    if target.exists() and not target.is_file():  # `/dev/stdout` leads to no path at all
        raise InputError(
            f"{target}: is {kind_of(target.stat().st_mode)}, which cannot be replaced; expected a "
            "file to write"
        )
    if real.exists() and not real.stat().st_mode & 0o222:
        raise InputError(
            f"{target}: is write-protected, and is not replaced; name another file, or make it "
            "writable"
        )
    return real


def refuse_no_folder(target: Path) -> Path:
    """Refuse a path at which no folder can be written; the path that it leads to.

    Raises:
        InputError: says what is there.
    """
    real = real_path(target)
    if real.exists() and not real.is_dir():
        raise InputError(f"{target}: is {kind_of(real.stat().st_mode)}; expected a folder to write")
    above = next(parent for parent in real.parents if parent.exists())
    if not above.is_dir():
        raise InputError(f"{target}: cannot be made: {above} is no folder")
    return real


def refuse_output_file(
    target: Path, inputs: Sequence[Path] = (), *, suffix: str = "", kind: str = ""
) -> None:
    """Refuse a file to write that is no file, an input, or an earlier file of another kind.

    Args:
        target: the path given by `--out`.
        inputs: files and folders that the command reads.
        suffix: that of the files of its kind; an existing file of another suffix is not replaced.
        kind: the expected kind, for messages: page, record.

    Raises:
        InputError: says what is there.
    """
    real = refuse_no_file(target)
    for parent in real.parents:
        if parent.exists():
            if not parent.is_dir():
                raise InputError(f"{target}: cannot be written: {parent} is no folder")
            break
    if not real.exists():
        return
    if any(each.exists() and each.samefile(real) for each in inputs):
        raise InputError(f"{target}: is the file that is read; name another one")
    if suffix and real.suffix.lower() != suffix:
        raise InputError(
            f"{target}: exists, and is no earlier {kind} (expected {suffix}); name another file, "
            "or remove it yourself"
        )


def refuse_part_of(target: Path, folder: Path, own: Patterns, kind: str) -> None:
    """Refuse to write a file that is part of an input, such as a build's ledger.

    Raises:
        InputError: says what it is.
    """
    real, root = real_path(target), Path(os.path.realpath(folder))
    if real.is_relative_to(root) and is_own(real.relative_to(root), own):
        raise InputError(f"{target}: is part of the {kind} {folder}; name another file")


def refuse_inputs_within(target: Path, own: Patterns, inputs: Sequence[Path]) -> None:
    """Refuse a folder whose own entries are also inputs of the command.

    Raises:
        InputError: names the input.
    """
    real = real_path(target)
    for each in inputs:
        found = Path(os.path.realpath(each))
        if found.is_relative_to(real) and is_own(found.relative_to(real), own):
            raise InputError(
                f"{each}: is read, and would be replaced by what is written into {target}; name "
                "another folder, or move the input away"
            )


def refuse_finished(
    folder: Path, own: Patterns, kind: str, *, overwrite: bool, instead: str
) -> None:
    """Refuse a folder in which an earlier result would be replaced without being asked.

    Args:
        folder: where to write.
        own: the entries of an earlier result, which would be replaced.
        kind: of the result, for messages.
        overwrite: whether the user asked for it.
        instead: the alternative, for the message.

    Raises:
        InputError: says what is there and since when.
    """
    real = refuse_no_folder(folder)
    if not real.exists():
        return
    refuse_in_the_way(real, own)
    found = [] if overwrite else list(own_files(real, own))
    if found:
        shown = ", ".join(map(str, found[:3])) + (", …" if len(found) > 3 else "")
        raise InputError(
            f"{folder}: holds {kind} ({shown}), written {written(real, found)}. --overwrite "
            f"replaces it and leaves all other files; or {instead}."
        )


def written(folder: Path, files: Sequence[Path]) -> str:
    """When the newest of some files was written, in local time."""
    newest = max((folder / file).lstat().st_mtime for file in files)
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(newest))
