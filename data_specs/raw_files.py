"""How the raw files that a user gives are read: text, plain or packed, and workbooks.

Text is UTF-8, or UTF-16 or UTF-32 with a byte order mark. A line ends with a line feed, a carriage
return (Excel for Mac), or both.
"""

import codecs
import functools
import hashlib
import itertools
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from data_specs.errors import InputError
from data_specs.files import replacing_file
from data_specs.unpacking import ALWAYS_ALLOWED, LARGEST_RATIO, chunks, packing_of

_MARKS = {  # the longer ones first: that of UTF-32 begins like that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip


def read_text(path: Path) -> str:
    """Read text, plain or packed; the first bytes tell which, not the name.

    Every line ends with a line feed, whatever it ended with in the file.

    Raises:
        InputError: the file is missing, is no file, is cut off, unpacks to suspiciously much, or is
            no text.
    """
    return check_text(b"".join(_text(path)), path)


def read_head(path: Path, size: int) -> str:
    """The first bytes of a text, at least so many; bytes that are no UTF-8 are replaced.

    Raises:
        InputError: as `read_text`, as far as it is seen so early.
    """
    head = b""
    for chunk in _text(path):
        head += chunk
        if len(head) >= size:
            break
    return head.decode("utf-8-sig", errors="replace")


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
    """The file itself if it is plain UTF-8 with line feeds, else such a copy of it in `scratch`.

    Raises:
        InputError: the file is missing, is no file, is cut off, unpacks to suspiciously much, or is
            no text.
    """
    if packing_of(path) is None and not _needs_rewriting(path):
        return path
    name = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]
    with replacing_file(scratch / name) as partial, partial.open("wb") as sink:
        for chunk in _text(path):
            sink.write(chunk)
    return scratch / name


def _needs_rewriting(path: Path) -> bool:
    """Whether plain text is in UTF-16 or UTF-32, or has lines that end with a carriage return."""
    pieces = chunks(path)
    first = next(pieces, b"")
    if _encoding(first):
        return True
    last = b""
    for piece in _checked(itertools.chain([first], pieces), path):
        joined = last + piece
        if joined.count(b"\r", 0, -1) > joined.count(b"\r\n"):
            return True
        last = joined[-1:]
    return last == b"\r"


def _text(path: Path) -> Iterator[bytes]:
    """The text of a file in pieces: UTF-8, with line feeds at the ends of lines."""
    held = b""  # a carriage return at the end of a piece may have its line feed in the next
    for chunk in _checked(_utf8(chunks(path), path), path):
        joined = held + chunk
        held = b"\r" if joined.endswith(b"\r") else b""
        if b"\r" in joined:
            joined = joined[: len(joined) - len(held)]
            joined = joined.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        yield joined
    if held:
        yield b"\n"


def _encoding(head: bytes) -> str | None:
    return next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)


def _utf8(pieces: Iterable[bytes], path: Path) -> Iterator[bytes]:
    """Text in UTF-8, from UTF-16 and UTF-32 too, where a byte order mark says that it is one."""
    pieces = iter(pieces)
    first = next(pieces, b"")
    encoding = _encoding(first)
    if encoding is None:
        yield first
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for piece in itertools.chain([first], pieces):
            yield decoder.decode(piece).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: begins like {encoding.upper()} text but is none ({error.reason}). Save it as "
            "UTF-8."
        ) from None


def _checked(pieces: Iterable[bytes], path: Path) -> Iterator[bytes]:
    """Refuse NUL bytes, which no text has."""
    line = 1
    for piece in pieces:
        position = piece.find(b"\0")
        if position >= 0:
            near = piece[max(0, position - 8) : position + 9]
            if len(near) > 3 and {0} in (set(near[::2]), set(near[1::2])):
                found = "looks like UTF-16 without a byte order mark"
            else:
                found = "holds a NUL byte, so it is no text or damaged"
            line += piece.count(b"\n", 0, position)
            raise InputError(f"{path}:{line}: {found}; expected UTF-8 text. Save it as that.")
        line += piece.count(b"\n")
        yield piece


# A row or a cell of a sheet, and the `r="AB12"` that may be in it.
_TAG = re.compile(rb"""<(?:\w+:)?(row|c)(?=[\s/>])(?:[^<]*?\sr\s*=\s*["']([A-Za-z]*)([0-9]*))?""")


def check_workbook(path: Path) -> None:
    """Refuse a workbook that unpacks to suspiciously much, or spans far more cells than it holds.

    The reader holds all that a sheet unpacks to, and every cell between its first and its last.
    Here it is unpacked in pieces, and the sizes that the archive states are not trusted.

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
                    "nearly all of them empty. Delete the cells far off, or save it as text."
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
