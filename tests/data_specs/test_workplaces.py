"""Nothing foreign is lost, whatever happens while something is written beside it."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_specs import workplaces
from data_specs.errors import InputError
from data_specs.files import replacing_file, replacing_folder
from data_specs.workplaces import is_workplace
from tests.conftest import CHECKOUT, examples
from tests.foreign_trees import found, missing, plant, trees

OWN = ("ledger.json", "store/[0-9]/data.mdb", "plots/own.png", "networks/a.parquet")
OLD = {"ledger.json": b"old", "store/0/data.mdb": b"old", "store/1/data.mdb": b"old",
       "networks/a.parquet": b"old"}  # fmt: skip
NEW = {"ledger.json": b"new", "store/0/data.mdb": b"new", "plots/own.png": b"new"}
CALLS = ("rename", "replace", "link", "unlink", "rmdir", "mkdir")


@pytest.fixture(autouse=True, scope="module")
def _at_once() -> Iterator[None]:
    """What was killed as it began is removed by the next one, and not after a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workplaces, "_A_WHILE", -1.0)
        yield


class Killed(BaseException):
    """Stands for a SIGKILL: nothing more is done to the disk."""


@contextmanager
def killed_at(call: int | None, links: bool = True) -> Iterator[list[str]]:
    """Let no call that changes the disk come through from a number on; gives all that were made."""
    made: list[str] = []
    with pytest.MonkeyPatch.context() as patch:

        def guard(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
            def guarded(*given: Any, **named: Any) -> Any:
                made.append(name)
                if call is not None and len(made) > call:
                    raise Killed
                if name == "link" and not links:
                    raise OSError(errno.EPERM, "no hard links here")
                return function(*given, **named)

            return guarded

        for name in CALLS:
            patch.setattr(os, name, guard(name, getattr(os, name)))
        yield made


def write(folder: Path, *, fail: bool = False, content: dict[str, bytes] = NEW) -> None:
    with replacing_folder(folder, OWN) as partial:
        partial.mkdir()
        plant(content, partial)
        if fail:
            raise RuntimeError


def own_of(folder: Path) -> dict[str, Any]:
    return {path: value for path, value in found(folder).items() if path in {*OLD, *NEW}}


def litter(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if is_workplace(name)]  # noqa: PTH208


@settings(max_examples=examples(200))
@given(
    inside=trees(OWN), around=trees(["out", "out/*"]), earlier=st.booleans(), links=st.booleans(),
    fail=st.booleans(), kills=st.lists(st.integers(0, 60), max_size=3),
)  # fmt: skip
def test_what_is_foreign_in_and_around_a_folder_stays(
    inside: Any, around: Any, earlier: bool, links: bool, fail: bool, kills: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        out = top / "out"
        plant(around, top)
        plant(inside | (OLD if earlier else {}), out)
        for call in kills:
            with killed_at(call, links), suppress(Killed):
                write(out)
        if fail:
            with killed_at(None, links), pytest.raises(RuntimeError):
                write(out, fail=True)
            assert own_of(out) in (OLD if earlier else {}, NEW)
        with killed_at(None, links):
            write(out)
        assert own_of(out) == NEW
        assert not missing(inside, out)
        assert not missing(around, top)
        assert not litter(top)
        here = {path.split("/")[0] for path in found(top)}
        assert here == {"out", *(path.split("/")[0] for path in around)}


@pytest.mark.parametrize("links", [True, False])
def test_killed_at_every_single_call(tmp_path: Path, links: bool) -> None:
    """And whoever recovers is killed, too, at every call."""
    foreign = {"notes.txt": b"mine", "runs/first/checkpoint.pt": b"trained", "store/0/mine": b"",
               "store/own/empty": None, "link": ("link", "gone"), ".hidden": b"x"}  # fmt: skip
    with killed_at(None, links) as made:
        plant(foreign | OLD, tmp_path / "count")
        before = len(made)
        write(tmp_path / "count")
    for call in range(len(made) - before + 1):
        out = tmp_path / f"{call}" / "out"
        plant(foreign | OLD, out)
        with killed_at(call, links), suppress(Killed):
            write(out)
        with killed_at(call % 7, links), suppress(Killed):
            write(out)
        with killed_at(None, links):
            write(out)
        assert not missing(foreign | NEW, out), call
        assert own_of(out) == NEW
        assert os.listdir(out.parent) == ["out"], call  # noqa: PTH208


@settings(max_examples=examples(60))
@given(foreign=trees(["out.txt"]), call=st.integers(0, 12), there=st.booleans())
def test_what_is_foreign_around_a_file_stays(foreign: Any, call: int, there: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out.txt"
        plant(foreign | ({"out.txt": b"old"} if there else {}), out.parent)
        with killed_at(call), suppress(Killed), replacing_file(out) as partial:
            partial.write_text("first")
        assert not out.exists() or out.read_text() in ("old", "first")
        with replacing_file(out) as partial:
            partial.write_text("second")
        assert out.read_text() == "second"
        assert not missing(foreign, out.parent)
        assert not litter(out.parent)


def test_filled_in_place_where_a_process_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = {"notes.txt": b"mine", "store/own/x": b"mine"}
    monkeypatch.chdir(tmp_path)
    for call in range(40):
        out = tmp_path / f"{call}"
        plant(foreign, out)
        os.chdir(out)
        with killed_at(call), suppress(Killed):
            write(out)
        os.chdir(tmp_path)
        write(out)
        assert {path: value for path, value in found(out).items() if value is not None} == {
            **foreign, **NEW}  # fmt: skip


def test_a_new_file_at_the_place_of_a_foreign_one(tmp_path: Path) -> None:
    """What the patterns do not name, such as a network that is new, replaces nothing."""
    out = tmp_path / "out"
    for kind in (b"mine", ("link", "gone"), None):
        plant({"networks/b.parquet": kind, "notes.txt": b""}, out)
        with pytest.raises(InputError, match=r"b\.parquet: is a .* somebody else's, where"):
            write(out, content={"networks/b.parquet": b"new"})
        assert not missing({"networks/b.parquet": kind, "notes.txt": b""}, out)
        shutil.rmtree(tmp_path / "out")


def test_a_folder_that_somebody_makes_in_that_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    plant(OLD | {"notes.txt": b"mine", "runs/a": b"a"}, out)
    rename = os.rename

    def making(a: Any, b: Any, **named: Any) -> None:
        rename(a, b, **named)
        if Path(b).name == "out.previous":
            plant({"runs/first": b"began", "notes.txt": b"of another"}, out)
            os.utime(out / "notes.txt", (0, 0))

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", making)
        write(out)
    assert not missing(NEW | {"runs/a": b"a", "runs/first": b"began", "notes.txt": b"mine",
                              "notes.txt.kept-1": b"of another"}, out)  # fmt: skip
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208


def test_a_file_written_anew_in_that_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As editors do: another file of the name. And one that is new."""
    out = tmp_path / "out"
    plant(OLD | {"notes.txt": b"before"}, out)
    os.utime(out / "notes.txt", (0, 0))
    rename = os.rename

    def saving(a: Any, b: Any, **named: Any) -> None:
        if Path(b).name == "out.previous":
            (out / "notes.txt").unlink()
            plant({"notes.txt": b"saved", "another.txt": b"new"}, out)
        rename(a, b, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", saving)
        write(out)
    expected = {"notes.txt": b"saved", "another.txt": b"new", "notes.txt.kept-1": b"before"}
    assert not missing(NEW | expected, out)


def test_rights_and_times_of_foreign_folders_stay(tmp_path: Path) -> None:
    out = tmp_path / "out"
    plant(OLD | {"runs/first/x": b"x"}, out)
    os.utime(out / "runs", (1e9, 1e9))
    (out / "runs" / "first").chmod(0o555)
    write(out)
    assert (out / "runs").stat().st_mtime == 1e9
    assert (out / "runs" / "first").stat().st_mode & 0o777 == 0o555
    (out / "runs" / "first").chmod(0o755)


@pytest.mark.parametrize("name", [".previous", ".ready", "out.previous", "out.own", "a\nb", "[a]*"])
def test_odd_names_of_outputs(tmp_path: Path, name: str) -> None:
    plant({"notes.txt": b"mine"}, tmp_path / name)
    for call in range(30):
        with killed_at(call), suppress(Killed):
            write(tmp_path / name)
    write(tmp_path / name)
    assert not missing({"notes.txt": b"mine"} | NEW, tmp_path / name)
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208


HOLDING = """
import pathlib, sys, time
from data_specs.files import replacing_folder
with replacing_folder(pathlib.Path(sys.argv[1]), []) as partial:
    partial.mkdir(); (partial / "x").write_text("whole")
    print("writing", flush=True); sys.stdin.read()
"""


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path) -> None:
    """Even if its number is that of no process, as it looks from inside a container."""
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(out)], cwd=CHECKOUT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    (name,) = litter(tmp_path)
    with replacing_file(tmp_path / "other") as partial:
        partial.touch()
    write(out)
    assert litter(tmp_path) == [name]
    process.communicate("")
    assert process.returncode == 0
    assert (out / "x").read_text() == "whole"


def test_what_another_machine_left_is_finished_but_not_removed(tmp_path: Path) -> None:
    whole, half = ".out.elsewhere-1.abcdefgh", ".out.elsewhere-2.abcdefgh"
    for name in (whole, half):
        own = {"out.own": b'["ledger.json"]', "out/ledger.json": b"theirs"}
        plant(own, tmp_path / name)
    before = {"out.previous/notes.txt": b"mine", "out.previous/ledger.json": b"old"}
    plant(before, tmp_path / whole)
    with pytest.raises(RuntimeError):
        write(tmp_path / "out", fail=True)
    assert found(tmp_path / "out") == {"notes.txt": b"mine", "ledger.json": b"theirs"}
    assert litter(tmp_path) == [half]


def test_what_the_disk_does_not_take_back_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    plant(OLD | {"notes.txt": b"mine"}, out)
    rename = os.rename

    def refusing(a: Any, b: Any, **named: Any) -> None:
        if Path(a).name == "notes.txt":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(a))
        rename(a, b, **named)

    with monkeypatch.context() as patch, killed_at(None, links=False):
        patch.setattr(os, "rename", refusing)
        with pytest.raises(InputError, match=r"its files are still in .*No space left"):
            write(out)
    assert own_of(out) == NEW
    write(out)
    assert not missing(NEW | {"notes.txt": b"mine"}, out)
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208


def test_another_disk_is_mounted_in_it(tmp_path: Path) -> None:
    out, disk = tmp_path / "o ut", tmp_path / "disk"
    plant(OLD | {"runs": None}, out)
    plant({"first": b"mine"}, disk)
    script = (
        "import pathlib, sys; from data_specs.files import replacing_folder\n"
        "with replacing_folder(pathlib.Path(sys.argv[1]), ['ledger.json']) as partial:\n"
        "    raise SystemExit('work')"
    )
    with ExitStack():
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", 'mount --bind "$2" "$1/runs" && exec "$3" -c "$4" "$1"',
             "sh", str(out), str(disk), sys.executable, script],
            cwd=CHECKOUT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if "InputError" not in done.stderr and "work" not in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr}")
    assert f"cannot be replaced, since {out / 'runs'} in it is another disk" in done.stderr
    assert not missing({"first": b"mine"}, disk)
