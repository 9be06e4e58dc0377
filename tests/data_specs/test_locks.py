"""One writer a folder: the second is told who has it, and death frees it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from data_specs.errors import InputError
from data_specs.locks import lock_name, refuse_written_below, writing
from tests.conftest import CHECKOUT

HOLDS = (
    "import pathlib, sys, time; from data_specs.locks import writing\n"
    "with writing(pathlib.Path(sys.argv[1])):\n"
    "    print('held', flush=True); time.sleep(60)"
)


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder), "of some work"],
        cwd=CHECKOUT, text=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def hold(folder: Path) -> None:
    with writing(folder):
        pass


def test_the_second_is_told_who_has_it_and_death_frees_it(tmp_path: Path) -> None:
    folder, link = tmp_path / "new" / "run", tmp_path / "link"
    link.symlink_to("new")
    process = holder(folder)
    for way in (folder, link / "run", tmp_path / "new" / "x" / ".." / "run"):
        with pytest.raises(InputError) as error:
            hold(way)
        said = str(error.value)
        assert said.startswith(f"{way}: is being written by another process: process {process.pid}")
        assert "since 20" in said
        assert "of some work" in said
    hold(tmp_path / "new" / "another")
    process.kill()
    process.communicate()
    assert (folder.parent / lock_name(folder)).is_file()
    hold(folder)
    assert list(folder.parent.iterdir()) == []


def test_nothing_is_left_and_one_process_may_ask_again(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with writing(folder), writing(folder):
        assert (tmp_path / "a" / ".b.lock").is_file()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError), writing(folder):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_folders_in_one_another(tmp_path: Path) -> None:
    build, run = tmp_path / "build", tmp_path / "build" / "runs" / "first"
    run.mkdir(parents=True)
    process = holder(run)
    with pytest.raises(InputError, match=f"{run} in it is being written by .* {process.pid} on"):
        refuse_written_below(build)
    process.kill()
    process.communicate()
    refuse_written_below(build)
    process = holder(build)
    with pytest.raises(InputError, match=f"lies in {build}, which is being written by another"):
        hold(run)
    process.kill()
    process.communicate()
    hold(run)


def test_in_the_folder_where_nothing_can_be_written_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "volume"
    folder.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with writing(folder):
        assert [path.name for path in folder.iterdir()] == [".volume.lock"]
    assert list(folder.iterdir()) == []


def test_a_disk_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(*_: object) -> None:
        raise OSError(38, os.strerror(38))

    monkeypatch.setattr("fcntl.flock", none)
    with writing(tmp_path / "run"):
        pass
    assert "this disk has no locks; see that nobody else writes there" in capsys.readouterr().err
