"""How artefacts reach the disk: beside the target first, then renamed; and how text is read."""

import contextlib
import errno
import gzip
import hashlib
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from data_specs.errors import InputError

_FULL_OR_FORBIDDEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS)


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path beside `target`; on success it takes the target's place, else it vanishes.

    Works for files and folders: write either at the yielded path. The target is never half there.

    Raises:
        InputError: the disk is full or the folder cannot be written; says so, and where.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        workplace = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise InputError(f"{target}: cannot be written: {error.strerror}") from error
    try:
        partial = workplace / target.name
        yield partial
        if target.is_dir():
            target.rename(workplace / "previous")
        partial.rename(target)
    except OSError as error:
        if error.errno not in _FULL_OR_FORBIDDEN:
            raise
        raise InputError(
            f"{target}: cannot be written: {error.strerror}. Nothing was left behind; what was "
            "there before is untouched."
        ) from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def write_text(target: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(target) as partial:
        partial.write_text(text, encoding="utf-8")


def read_text(path: Path) -> str:
    """Read plain or gzipped UTF-8 text, told apart by the first bytes, not by the name.

    Raises:
        InputError: the file is missing, is cut off, or is not UTF-8 text.
    """
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except EOFError:
        raise InputError(
            f"{path}: the gzip data end in the middle; the file is cut off. Fetch it again."
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: the gzip data are damaged ({error}). Fetch it again.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: not UTF-8 text (byte 0x{raw[error.start]:02x})") from None


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size
