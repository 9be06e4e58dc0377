"""How artefacts reach the disk: beside the target first, then renamed."""

import contextlib
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

_HERE = platform.node().replace(".", "_").replace("-", "_") or "host"
_WORKPLACE = re.compile(rf"\..+\.{re.escape(_HERE)}-\d+\.[^.]+")


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path beside `target`; on success it takes the target's place, else it vanishes.

    Works for files and folders: write either at the yielded path. The target is never half there.
    A process that is killed between taking the old one away and putting the new one there has
    written the new one whole: whoever next writes here puts it there.

    Raises:
        InputError: the disk is full or the folder cannot be written; says so, and where.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear_after_the_dead(target)
        prefix = f".{target.name}.{_HERE}-{os.getpid()}."
        workplace = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    except OSError as error:
        raise InputError(f"{shown(target)}: cannot be written: {error.strerror}") from error
    partial, previous = workplace / target.name, workplace / ".previous"
    try:
        yield partial
        if target.is_dir():
            target.rename(previous)
        partial.rename(target)
    except Exception as error:
        reason = None if isinstance(error, InputError) else fault_of_the_disk(error)
        if reason is None:
            raise
        named = getattr(error, "filename", None) or partial
        where = target if Path(named).is_relative_to(workplace) else Path(named)
        raise InputError(
            f"{shown(where)}: cannot be {'written' if where is target else 'used'}: {reason}. "
            "Nothing was left behind; what was there before is untouched."
        ) from error
    finally:
        if previous.exists() and not target.exists():
            previous.rename(target)
        shutil.rmtree(workplace, ignore_errors=True)


def shown(path: Path) -> Path:
    """The path as the user knows it, when it lies in a folder that is still being written."""
    return Path(*(part for part in path.parts if not _WORKPLACE.fullmatch(part)))


def _clear_after_the_dead(target: Path) -> None:
    """Put in place what processes of this machine had finished when they were killed, else remove.

    Whatever has a previous one beside it was whole.
    """
    for left in target.parent.glob(f".{glob.escape(target.name)}.{_HERE}-*.*"):
        process = left.name.removeprefix(f".{target.name}.{_HERE}-").partition(".")[0]
        if not process.isdecimal():
            continue
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            if not target.exists() and (left / ".previous").exists():
                (left / target.name).rename(target)
            shutil.rmtree(left, ignore_errors=True)
        except PermissionError:
            continue  # somebody else's, and alive


def write_text(target: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(target) as partial:
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
