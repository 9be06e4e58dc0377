"""The bytes of a file that a user gives, unpacked. Its first bytes tell the packing.

gzip, bzip2, xz and Zstandard are unpacked. Archives, and files that can be read only once, are
refused by name.
"""

import bz2
import gzip
import lzma
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from data_specs.errors import InputError

# A packed table of genotypes or annotations is ten to thirty times smaller than its text; gzip
# itself reaches a thousand. A file that unpacks to more than this is no such table.
LARGEST_RATIO, ALWAYS_ALLOWED = 200, 2**26
CHUNK = 2**20
_MOST_MEMORY = 2**28  # that xz may take for its dictionary; `xz -9` takes 65 MiB

_KINDS = {
    stat.S_IFDIR: "a folder; expected a file",
    stat.S_IFIFO: "a pipe, which can be read only once; write its output into a file, and name "
    "that file",
    stat.S_IFSOCK: "a socket; expected a file",
    stat.S_IFCHR: "a device; expected a file",
    stat.S_IFBLK: "a device; expected a file",
}
# Long enough not to be the beginning of a text: a list of genes may begin with PAR1.
_PACKED = {"gzip": rb"\x1f\x8b", "bzip2": rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)",
           "xz": rb"\xfd7zXZ\0", "zstd": rb"\x28\xb5\x2f\xfd"}  # fmt: skip
_ZIP = b"PK\x03\x04"
_OTHERS = {
    _ZIP: "a ZIP archive",
    b"PK\x05\x06": "an empty ZIP archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x04\x22\x4d\x18": "packed by lz4",
    b"\x1f\x9d": "packed by compress (.Z)",
    b"LZIP": "packed by lzip",
    b"\x5d\0\0": "packed by lzma",
    b"PAR1\x15": "a Parquet table",
    b"\x89HDF": "an HDF5 file",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls)",
}


def require_file(path: Path) -> None:
    """Refuse, before it is opened, what is no ordinary file: a pipe would wait for ever.

    Raises:
        InputError: there is nothing, or a folder, pipe, socket or device; says which.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            target = path.readlink()
            raise InputError(f"{path}: is a link to '{target}', which does not exist") from None
        raise InputError(f"{path}: no such file") from None
    except ValueError as error:  # a NUL in the name
        raise InputError(f"{str(path)!r}: is no name of a file: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: is {_KINDS.get(stat.S_IFMT(mode), 'no ordinary file')}")


def packing_of(path: Path) -> str | None:
    """How a file is packed: gzip, bzip2, xz, zstd; None if it is plain.

    Raises:
        InputError: it is no file that can be read, or an archive or table that is no text.
    """
    require_file(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    packing = _packing(head)
    if packing is None:
        _refuse_other(head, path)
    return packing


def _packing(head: bytes) -> str | None:
    return next((name for name, magic in _PACKED.items() if re.match(magic, head)), None)


def _refuse_other(head: bytes, path: Path, inside: str = "") -> None:
    found = next((name for magic, name in _OTHERS.items() if head.startswith(magic)), None)
    if head[257:262] == b"ustar":
        found = "a tar archive"
    if inside and (packing := _packing(head)):
        found = f"packed twice, the second time by {packing}"
    if found is None:
        return
    do = "unpack it, and name the file that is in it"
    if head.startswith(_ZIP) and not inside and _is_workbook(path):
        found, do = "an Excel workbook", "save the sheet as tab-separated text"
    elif not found.startswith(("a ZIP", "an empty", "a 7z", "a RAR", "a tar", "packed")):
        do = "save it as text"
    where = f"is packed by {inside}, and in it is" if inside else "is"
    raise InputError(f"{path}: {where} {found}; expected text. Please {do}.")


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith("xl/") for name in archive.namelist())
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return False


def chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, unpacked, in pieces of about a mebibyte; none is empty.

    Raises:
        InputError: it is no file that can be read, is cut off or damaged, unpacks to suspiciously
            much, or is an archive.
    """
    packing = packing_of(path)
    largest = max(ALWAYS_ALLOWED, LARGEST_RATIO * path.stat().st_size)
    read = 0
    try:
        with path.open("rb") as stream:
            for chunk in _READERS[packing](stream):
                if packing and not read:
                    _refuse_other(chunk[:512], path, inside=packing)
                read += len(chunk)
                if packing and read > largest:
                    raise InputError(
                        f"{path}: unpacks to more than {LARGEST_RATIO} times its size; no table or "
                        "ontology does. If you trust it, unpack it yourself."
                    )
                yield chunk
    except EOFError:
        raise InputError(
            f"{path}: the {packing} data end in the middle; the file is cut off. Fetch it again."
        ) from None
    except (OSError, zlib.error, lzma.LZMAError, MemoryError) as error:
        if getattr(error, "errno", None):
            raise InputError(f"{path}: cannot be read: {error.strerror}") from None  # type: ignore[union-attr]
        raise InputError(
            f"{path}: the {packing} data are damaged ({error}). Fetch it again."
        ) from None


def _plain(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def _gzip(stream: BinaryIO) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=stream) as unpacked:
        while chunk := unpacked.read(CHUNK):
            yield chunk


def _zstd(stream: BinaryIO) -> Iterator[bytes]:
    try:
        with pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd") as unpacked:
            while chunk := unpacked.read(CHUNK):
                yield chunk
    except OSError as error:
        if "Truncated" in str(error):
            raise EOFError from None
        raise


def _one_after_another(
    new: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor],
) -> Callable[[BinaryIO], Iterator[bytes]]:
    """A reader of packed streams in a row.

    Python's own (`bz2.open`, `lzma.open`) take a damaged second stream for the end of the file.
    """

    def read(stream: BinaryIO) -> Iterator[bytes]:
        unpacker = new()
        while True:
            raw = b""
            if unpacker.eof:
                raw = unpacker.unused_data.lstrip(b"\0")
                while not raw:
                    more = stream.read(CHUNK)
                    if not more:
                        return
                    raw = more.lstrip(b"\0")  # xz pads its streams
                unpacker = new()
            elif unpacker.needs_input:
                raw = stream.read(CHUNK)
                if not raw:
                    raise EOFError
            if chunk := unpacker.decompress(raw, CHUNK):
                yield chunk

    return read


_READERS: dict[str | None, Callable[[BinaryIO], Iterator[bytes]]] = {
    None: _plain,
    "gzip": _gzip,
    "bzip2": _one_after_another(bz2.BZ2Decompressor),
    "xz": _one_after_another(lambda: lzma.LZMADecompressor(memlimit=_MOST_MEMORY)),
    "zstd": _zstd,
}
