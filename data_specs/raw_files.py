"""How the raw files that a user gives are read: text, plain or packed, and workbooks."""

import functools
import gzip
import hashlib
import itertools
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from data_specs.errors import InputError
from data_specs.files import replacing_file

# A gzipped table of genotypes or annotations is ten to thirty times smaller than its text; gzip
# itself reaches a thousand. What unpacks to more than this is no such table.
LARGEST_RATIO, ALWAYS_ALLOWED = 200, 2**26


def read_text(path: Path) -> str:
    """Read plain or gzipped UTF-8 text, told apart by the first bytes, not by the name.

    Raises:
        InputError: the file is missing, cut off, unpacks to suspiciously much, or is not UTF-8.
    """
    return check_text(b"".join(_chunks(path)), path)


def check_text(raw: bytes, path: Path, first_line: int = 1) -> str:
    """Decode UTF-8 with or without a byte order mark.

    Raises:
        InputError: it is something else; names the line.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + first_line
        raise InputError(f"{path}:{line}: not UTF-8 text (byte 0x{raw[error.start]:02x})") from None


def unpacked(path: Path, scratch: Path) -> Path:
    """The file itself if it is plain, else its text, unpacked into `scratch`.

    Raises:
        InputError: the file is missing, cut off, or unpacks to suspiciously much.
    """
    if not _is_gzip(path):
        return path
    name = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]
    with replacing_file(scratch / name) as partial, partial.open("wb") as sink:
        for chunk in _chunks(path):
            sink.write(chunk)
    return scratch / name


def _is_gzip(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(2) == b"\x1f\x8b"
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, unpacked if it is gzipped, in pieces of a mebibyte."""
    packed = _is_gzip(path)
    largest = max(ALWAYS_ALLOWED, LARGEST_RATIO * path.stat().st_size)
    read = 0
    try:
        with gzip.open(path) if packed else path.open("rb") as stream:
            while chunk := stream.read(2**20):
                read += len(chunk)
                if packed and read > largest:
                    raise InputError(
                        f"{path}: unpacks to more than {LARGEST_RATIO} times its size; no table or "
                        "ontology does. If you trust it, unpack it yourself."
                    )
                yield chunk
    except EOFError:
        raise InputError(
            f"{path}: the gzip data end in the middle; the file is cut off. Fetch it again."
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: the gzip data are damaged ({error}). Fetch it again.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


# A row or a cell of a sheet, and the `r="AB12"` that may be in it.
_TAG = re.compile(rb"""<(?:\w+:)?(row|c)(?=[\s/>])(?:[^<]*?\sr\s*=\s*["']([A-Za-z]*)([0-9]*))?""")


def check_workbook(path: Path) -> None:
    """Refuse a workbook that unpacks to suspiciously much, or spans far more cells than it holds.

    The reader holds all that a sheet unpacks to, and every cell between its first and its last.
    Here it is unpacked in pieces, and what the archive says of its sizes is not believed.

    Raises:
        InputError: it does, or is no such workbook. A damaged one raises what `zipfile` does.
    """
    allowed = max(ALWAYS_ALLOWED, LARGEST_RATIO * path.stat().st_size)
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            strange = entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            if strange or entry.filename.lower() in ("content.xml", "xl/workbook.bin"):
                raise InputError(f"{path}: is no .xlsx workbook; save it as one, or as text")
            entry.file_size = 2**62  # or it is read no further than it says
            with archive.open(entry) as stream:
                size, rows, columns = _extent(iter(lambda: stream.read(2**20), b""), allowed)
            allowed -= size
            if allowed < 0:
                raise InputError(
                    f"{path}: unpacks to more than {LARGEST_RATIO} times its size; no table "
                    "does. If you trust it, save it as text."
                )
            if rows * columns > max(2**20, size):
                raise InputError(
                    f"{path}: '{entry.filename}' spans {rows:,} rows and {columns:,} columns, "
                    "nearly all of them empty. Delete what lies far off, or save it as text."
                )


def _extent(chunks: Iterator[bytes], allowed: int) -> tuple[int, int, int]:
    """Bytes of a part of a workbook, and the last row and column if it is a sheet.

    Cells need not say where they are: then each follows the one before.
    """
    size = row = column = rows = columns = 0
    rest = b""
    for chunk in itertools.chain(chunks, [b"<"]):
        size += len(chunk)
        if size - 1 > allowed or len(rest) > 2**22:  # no tag is that long
            return allowed + 1, 0, 0
        rest += chunk
        end = rest.rfind(b"<")
        for tag, letters, digits in _TAG.findall(rest[:end] if end > 0 else b""):
            if tag == b"row":
                row, column = int(digits) if digits else row + 1, 0
            else:
                row = max(row, int(digits)) if digits else row
                column = column + 1
                if letters:
                    column = functools.reduce(lambda n, c: n * 26 + (c & 31), letters, 0)
            rows, columns = max(rows, row), max(columns, column)
        rest = rest[max(end, 0) :] if end >= 0 else b""
    return size - 1, rows, columns
