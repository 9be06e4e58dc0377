"""Writing whole or not at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from data_specs.errors import InputError
from data_specs.files import replacing_file, replacing_folder, sha256_of, size_of, write_text
from tests.conftest import CHECKOUT


def test_replacing_a_file_and_a_folder(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "file.txt", "one")
    write_text(tmp_path / "a" / "file.txt", "two")
    assert (tmp_path / "a" / "file.txt").read_text() == "two"
    for text in ("one", "two"):
        with replacing_folder(tmp_path / "folder", ["one", "two"]) as partial:
            partial.mkdir()
            (partial / text).write_text(text)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["two"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "folder"]


def test_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    write_text(target, "before")

    def fail_half_way() -> None:
        with replacing_file(target) as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_full_disk(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="No space left on device"),
        replacing_file(tmp_path / "f"),
        Path("/dev/full").open("w") as full,
    ):
        full.write("x" * 100_000)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="cannot be written"),
        replacing_file(tmp_path / "file" / "below"),
    ):
        pass


def test_digest_and_size(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "empty", "")
    write_text(tmp_path / "a" / "b" / "three", "abc")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert sha256_of(tmp_path / "a" / "empty") == empty
    assert size_of(tmp_path / "a") == size_of(tmp_path / "a" / "b" / "three") == 3


def test_what_the_dead_left_is_cleared_away(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys; from data_specs.files import replacing_file\n"
        "with replacing_file(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half'); os.kill(os.getpid(), 9)"
    )
    target = tmp_path / "a[1].txt"
    subprocess.run([sys.executable, "-c", script, str(target)], check=False, cwd=CHECKOUT)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".a[1].txt.")
    with replacing_file(target) as partial:  # alive: another one at the same time stays
        partial.write_text("whole")
        with replacing_file(target) as other:
            other.write_text("first")
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert target.read_text() == "whole"


def test_killed_between_taking_the_old_one_away_and_putting_the_new_one_there(
    tmp_path: Path,
) -> None:
    script = (
        "import os, pathlib, sys; from data_specs.files import replacing_folder\n"
        "rename = os.rename\n"
        "def once(a, b, **_):\n"
        "    rename(a, b)\n"
        "    os.kill(os.getpid(), 9)\n"
        "with replacing_folder(pathlib.Path(sys.argv[1]), ['old']) as partial:\n"
        "    partial.mkdir(); (partial / 'new').touch(); os.rename = once"
    )
    target = tmp_path / "build"
    target.mkdir()
    (target / "old").touch()
    subprocess.run([sys.executable, "-c", script, str(target)], check=False, cwd=CHECKOUT)
    assert not target.exists()
    with pytest.raises(RuntimeError), replacing_folder(target, ["old"]):
        raise RuntimeError
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["build"]


def test_the_new_one_cannot_be_put_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "build"
    target.mkdir()
    (target / "old").touch()
    rename = os.rename

    def full(a: Path, b: Path) -> None:
        if Path(b) == target and Path(a).name == "build":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(a))
        rename(a, b)

    def replace() -> None:
        with replacing_folder(target, ["old"]) as partial:
            partial.mkdir()

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(InputError, match=f"{target}: cannot be written: No space left on device"):
        replace()
    assert [path.name for path in target.iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["build"]
