"""One process at a time writes into a folder."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from data_specs.errors import InputError
from data_specs.locks import lock_name, writing
from tests.conftest import CHECKOUT

HOLD = """
import pathlib, sys
from data_specs.errors import exit_with_message
from data_specs.locks import writing
with exit_with_message(), writing(pathlib.Path(sys.argv[1])):
    print("has it", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a folder until it is told to end, or killed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), "--name", "x y"], cwd=CHECKOUT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "has it\n"
        try:
            yield process
        finally:
            process.communicate("")


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as error, writing(folder):
        pass
    return str(error.value)


def test_the_second_is_told_who_has_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    (tmp_path / "link").symlink_to("new")
    with another(folder) as process:
        for way in (folder, tmp_path / "link" / "run", folder / ".." / "run"):
            assert re.fullmatch(
                rf".*: is being written by another process: process {process.pid} on \S+, since "
                r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(-c .*run --name x y\)\. Wait until it ends, or "
                r"name another folder\.",
                refused(way),
            )
    with writing(folder), writing(folder):  # what works inside of other work asks again
        assert [path.name for path in folder.parent.iterdir()] == [lock_name(folder)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link"]


def test_killed_it_is_free_at_once(tmp_path: Path) -> None:
    with another(tmp_path / "run") as process:
        process.kill()
        process.wait()
        assert (tmp_path / lock_name(tmp_path / "run")).is_file()
        with writing(tmp_path / "run"):
            pass
    assert list(tmp_path.iterdir()) == []


def test_folders_in_and_around_it(tmp_path: Path) -> None:
    outer, inner = tmp_path / "build", tmp_path / "build" / "runs" / "first"
    with another(outer):
        assert f"lies in {outer}, which is being written by another process" in refused(inner)
    with another(inner):
        assert f"{inner} in it is being written by another process" in refused(outer)
        with writing(inner.with_name("second")), writing(tmp_path / "other"):
            pass
    with writing(outer), writing(inner):
        pass
    assert not list(tmp_path.rglob(".*"))


def test_inside_where_nothing_can_be_written_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path and access(path, mode))
    folder = tmp_path / "run"
    folder.mkdir()
    with writing(folder):
        assert [path.name for path in folder.iterdir()] == [".dcell-lock"]
    assert list(folder.iterdir()) == []


def test_a_folder_in_one_of_the_same_name(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "runs"
    with another(folder):
        assert "is being written" in refused(folder)
        assert f"{folder} in it is being written" in refused(folder.parent)
    with writing(folder):
        folder.mkdir()
        assert [path.name for path in folder.parent.iterdir()] == [".runs.dcell-lock", "runs"]
    with writing(folder.parent), writing(folder):
        pass


def test_a_lock_that_a_user_has_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / ".run.lock").write_text("mine")
    with writing(tmp_path / "run"):
        pass
    assert (tmp_path / ".run.lock").read_text() == "mine"


@pytest.mark.parametrize("folder", ["a/b/run", "run"])
def test_a_failure_leaves_nothing(tmp_path: Path, folder: str) -> None:
    with pytest.raises(RuntimeError), writing(tmp_path / folder):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
