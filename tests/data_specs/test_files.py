"""Writing whole or not at all; reading plain and gzipped text."""

import gzip
from pathlib import Path

import pytest

from data_specs.errors import InputError
from data_specs.files import read_text, replacing, sha256_of, size_of, write_text


def test_replacing_a_file_and_a_folder(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "file.txt", "one")
    write_text(tmp_path / "a" / "file.txt", "two")
    assert (tmp_path / "a" / "file.txt").read_text() == "two"
    for text in ("one", "two"):
        with replacing(tmp_path / "folder") as partial:
            partial.mkdir()
            (partial / text).write_text(text)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["two"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "folder"]


def test_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    write_text(target, "before")

    def fail_half_way() -> None:
        with replacing(target) as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_full_disk(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="No space left on device"),
        replacing(tmp_path / "f"),
        Path("/dev/full").open("w") as full,
    ):
        full.write("x" * 100_000)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="cannot be written"),
        replacing(tmp_path / "file" / "below"),
    ):
        pass


def test_plain_and_gzipped(tmp_path: Path) -> None:
    path = tmp_path / "text"
    for raw in ("é\n".encode(), b"\xef\xbb\xbf" + "é\n".encode(), gzip.compress("é\n".encode())):
        path.write_bytes(raw)
        assert read_text(path) == "é\n"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (gzip.compress(b"x" * 1000)[:-9], "cut off"),
        (gzip.compress(b"x" * 1000)[:12], "cut off"),
        (gzip.compress(b"x" * 1000)[:-6] + b"abcdef", "damaged"),
        (b"ok\n\xff\n", r"text:2: not UTF-8"),
    ],
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


def test_digest_and_size(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "empty", "")
    write_text(tmp_path / "a" / "b" / "three", "abc")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert sha256_of(tmp_path / "a" / "empty") == empty
    assert size_of(tmp_path / "a") == size_of(tmp_path / "a" / "b" / "three") == 3
