"""Reading plain and gzipped text."""

import gzip
from pathlib import Path

import pytest

from data_specs.errors import InputError
from data_specs.raw_files import ALWAYS_ALLOWED, LARGEST_RATIO, read_text, unpacked


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
    with pytest.raises(InputError, match="cannot be read"):
        read_text(tmp_path)


def test_a_gzip_bomb_is_cut_off(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.obo.gz"
    bomb.write_bytes(gzip.compress(bytes(LARGEST_RATIO * 2**20 + ALWAYS_ALLOWED)))
    with pytest.raises(InputError, match=r"unpacks to more than 200 times its size"):
        read_text(bomb)
    with pytest.raises(InputError, match=r"unpacks to more than 200 times its size"):
        unpacked(bomb, tmp_path / "scratch")
    assert list((tmp_path / "scratch").iterdir()) == []
