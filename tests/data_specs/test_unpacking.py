"""What a file is, told by its first bytes, and its bytes unpacked."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import socket
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_specs.errors import InputError
from data_specs.raw_files import read_text, unpacked
from data_specs.unpacking import ALWAYS_ALLOWED, chunks, require_file

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda raw: gzip.compress(raw, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda raw: bytes(pa.Codec("zstd").compress(raw, asbytes=True)),
}
TEXT = "".join(f"line {n} é\n" for n in range(3000))


def packed(folder: Path, raw: bytes) -> Path:
    path = folder / "file.txt"
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("kind", PACK)
def test_packed_text_is_that_text(tmp_path: Path, kind: str) -> None:
    raw, half = TEXT.encode(), len(TEXT) // 2
    for whole in (PACK[kind](raw), PACK[kind](raw[:half]) + PACK[kind](raw[half:])):
        path = packed(tmp_path, whole)
        assert read_text(path) == TEXT
        assert unpacked(path, tmp_path / "scratch").read_bytes() == raw
    assert read_text(packed(tmp_path, PACK[kind](b""))) == ""


@pytest.mark.parametrize("kind", PACK)
def test_cut_off_and_damaged(tmp_path: Path, kind: str) -> None:
    whole = PACK[kind](TEXT.encode())
    for length in (10, 15, len(whole) // 2, len(whole) - 1):
        path = packed(tmp_path, whole[:length])
        with pytest.raises(InputError, match=f"{kind} data (end in the middle|are damaged)"):
            read_text(path)
    with pytest.raises(InputError, match="damaged"):  # bz2.open and lzma.open would not see it
        read_text(packed(tmp_path, whole + b"junk" * 5))


@given(kind=st.sampled_from(list(PACK)), at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_never_changes_the_text(
    tmp_path_factory: pytest.TempPathFactory, kind: str, at: int, bit: int
) -> None:
    raw = bytearray(PACK[kind](TEXT.encode()))
    raw[at % len(raw)] ^= 1 << bit
    path = packed(tmp_path_factory.mktemp("flip"), bytes(raw))
    with contextlib.suppress(InputError):  # unless a date or a name in gzip's header was flipped
        assert read_text(path) == TEXT or kind == "zstd"  # which need not have a checksum


@pytest.mark.parametrize("kind", PACK)
def test_a_bomb_is_cut_off(tmp_path: Path, kind: str) -> None:
    path = packed(tmp_path, PACK[kind](bytes(ALWAYS_ALLOWED + 2**21)))
    with pytest.raises(InputError, match="unpacks to more than 200 times its size"):
        sum(map(len, chunks(path)))


def archives() -> dict[str, bytes]:
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("table.tsv", TEXT)
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    with tarfile.open(fileobj=tarred, mode="w") as tar:
        entry = tarfile.TarInfo("table.tsv")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"text"))
    return {
        "a ZIP archive": zipped.getvalue(),
        "an Excel workbook": book.getvalue(),
        "a tar archive": tarred.getvalue(),
        "packed by gzip, and in it is a tar archive": gzip.compress(tarred.getvalue()),
        "in it is packed twice, the second time by xz": gzip.compress(lzma.compress(b"text")),
        "a 7z archive": b"7z\xbc\xaf\x27\x1c\0\4",
        "a RAR archive": b"Rar!\x1a\x07\x01\0",
        "packed by lz4": b"\x04\x22\x4d\x18d",
        "a Parquet table": b"PAR1\x15\x04",
        "an old Excel workbook": b"\xd0\xcf\x11\xe0\xa1\xb1",
    }


@pytest.mark.parametrize("name", archives())
def test_archives_are_said_by_name(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path, archives()[name])
    with pytest.raises(InputError, match=name):
        read_text(path)
    with pytest.raises(InputError, match=name):
        unpacked(path, tmp_path / "scratch")


def test_what_is_no_file_is_called_what_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(tmp_path / "socket"))
        expected = {
            "pipe": "a pipe, which can be read only once", "folder": "a folder",
            "nowhere": "no such file",
            "socket": "a socket", "link": "a link to 'nowhere', which does not exist",
            "loop": "cannot be read", "/dev/null": "a device", "a\0b": "no name of a file",
        }  # fmt: skip
        for name, found in expected.items():
            with pytest.raises(InputError, match=found):
                require_file(tmp_path / name)
            with pytest.raises(InputError, match=found):
                read_text(tmp_path / name)


@pytest.mark.parametrize("text", ["PAR1\nRAR1\n", "BZh1 a\n", "7z\n", "PK\n"])
def test_genes_that_are_named_like_formats(tmp_path: Path, text: str) -> None:
    assert read_text(packed(tmp_path, text.encode())) == text
