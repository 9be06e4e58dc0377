"""Reading plain and gzipped text."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_specs.errors import InputError
from data_specs.raw_files import read_head, read_text, unpacked


def test_plain_and_gzipped(tmp_path: Path) -> None:
    path = tmp_path / "text"
    for raw in ("é\n".encode(), b"\xef\xbb\xbf" + "é\n".encode(), gzip.compress("é\n".encode())):
        path.write_bytes(raw)
        assert read_text(path) == "é\n"


ZIPPED = gzip.compress(b"x" * 1000, mtime=0)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (ZIPPED[:-9], "cut off"),
        (ZIPPED[:12], "cut off"),
        (ZIPPED[:-6] + b"abcdef", "damaged"),
        (b"ok\n\xff\n", r"text:2: not UTF-8"),
    ],
    ids=["short end", "short head", "checksum", "encoding"],
)
def test_unreadable(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "text"
    path.write_bytes(raw)
    with pytest.raises(InputError, match=message):
        read_text(path)


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_text(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is a folder"):
        read_text(tmp_path)


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_encodings_with_a_byte_order_mark(
    tmp_path: Path, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "text"
    text = "é\n𐍈 x\n" * 200_000  # in several pieces
    path.write_bytes(pack(text.encode(encoding)))
    assert read_text(path) == text
    assert read_text(unpacked(path, tmp_path / "scratch")) == text
    assert read_head(path, 100).startswith("é\n𐍈 x\n")


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("one\ntwo\n".encode("utf-16-le"), "text:1: looks like UTF-16 without a byte order mark"),
        ("one\ntwo\n".encode("utf-16-be"), "text:1: looks like UTF-16 without a byte order mark"),
        (b"one\ntw\0o\n", "text:2: holds a NUL byte"),
        (b"\0", "text:1: holds a NUL byte"),
        (b"\xff\xfea\0b", "begins like UTF-16 text but is none"),
        (b"\xff\xfe\x00\xd8a\0", "begins like UTF-16 text but is none"),  # half of a pair
    ],
)
def test_what_is_no_utf_8(tmp_path: Path, raw: bytes, found: str) -> None:
    path = tmp_path / "text"
    path.write_bytes(raw)
    for read in (read_text, lambda path: unpacked(path, tmp_path / "scratch")):
        with pytest.raises(InputError, match=found):
            read(path)


@given(
    lines=st.lists(st.sampled_from(["", "a", "é b", "c\td"]), min_size=1, max_size=30),
    ends=st.lists(st.sampled_from(["\n", "\r", "\r\n"]), min_size=30, max_size=30),
    size=st.integers(1, 7),
)
def test_any_line_ends_give_the_same_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], ends: list[str], size: int
) -> None:
    # An empty line between "\r" and "\n" would not be told from one end of a line.
    text = "".join(f"x{line}{end}" for line, end in zip(lines, ends, strict=False))
    expected = "".join(f"x{line}\n" for line in lines)
    folder = tmp_path_factory.mktemp("ends")
    path = folder / "text"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("data_specs.unpacking.CHUNK", size)
        assert read_text(path) == expected
        copy = unpacked(path, folder / "scratch")
    mixed = "\r" in text.replace("\r\n", "")
    assert copy.read_text() == expected
    assert (copy != path) == mixed
