"""A folder is replaced only in its own entries: random trees of foreign things, kills and all."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_specs.errors import InputError
from data_specs.files import recover, replacing_file, replacing_folder
from data_specs.own_entries import own_files, refuse_in_the_way, remove_own
from tests.conftest import CHECKOUT

OWN = ("ledger.json", "store/[0-9]/data", "store/manifest", "gone/old", "plots/a.png")
# What a writer makes; what an earlier one made, some of which is no longer written.
NEW = {"ledger.json": "new", "store/0/data": "new", "store/manifest": "new", "undeclared": "new"}
OLD = {"ledger.json": "old", "store/0/data": "old", "store/1/data": "old", "gone/old": "old",
       "store/manifest": "old", "plots/a.png": "old", "undeclared": "old"}  # fmt: skip
NAMES = ["notes.txt", ".hidden", "mine", "runs", "first", "ledger.json.bak", "a b", "ü"]
FOLDERS = ["", "store", "store/0", "gone", "plots", "runs", "runs/first", ".cache", "empty/er"]
KINDS = ["file", "link", "dangling link", "folder", "link to a folder", "pipe"]
THINGS = st.dictionaries(
    st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NAMES)), st.sampled_from(KINDS), max_size=7
)


def put(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def put_things(folder: Path, things: dict[tuple[str, str], str]) -> None:
    for (below, name), kind in sorted(things.items()):
        place = folder / below / name
        above = [parent for parent in place.parents if parent.is_relative_to(folder)]
        if any(os.path.lexists(p) and (p.is_symlink() or not p.is_dir()) for p in above):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(place):
            continue
        if kind == "file":
            place.write_text(f"content of {below}/{name}")
        elif kind == "folder":
            place.mkdir()
        elif kind == "pipe":
            os.mkfifo(place)
        else:
            targets = {"link": "../ledger.json", "dangling link": "/nowhere/x"}
            place.symlink_to(targets.get(kind, os.pardir))


def walk(folder: Path) -> dict[str, Any]:
    """Everything in a folder, links not followed: what it is and holds."""
    found: dict[str, Any] = {}
    for above, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(above) / name
            relative = str(path.relative_to(folder))
            if path.is_symlink():
                found[relative] = ("link", os.readlink(path))  # noqa: PTH115
            elif path.is_file():
                found[relative] = ("file", path.read_text())
            else:
                found[relative] = ("folder" if path.is_dir() else "pipe",)
    return found


def foreign_of(folder: Path) -> dict[str, Any]:
    """What is foreign, with the folders that hold it."""
    found = walk(folder)
    own = {*map(str, own_files(folder, OWN)), "undeclared"}
    on_the_way = {"store", "store/0", "store/1", "gone", "plots"}
    return {name: what for name, what in found.items() if name not in own | on_the_way}


class KilledError(BaseException):
    """Stands for a kill: nothing that comes after it in the process is done."""


class Dying:
    """Dies at the n-th rename, before it or after it, and does nothing more."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int, after: bool) -> None:
        self.left, self.after, self.dead = at, after, False
        for name in ("rename", "replace", "link", "rmdir", "unlink"):
            patch.setattr(os, name, self._guard(getattr(os, name), name in ("rename", "replace")))

    def _guard(self, function: Any, counted: bool) -> Any:
        def guarded(*arguments: Any, **named: Any) -> Any:
            if self.dead:
                raise KilledError
            if counted:
                self.left -= 1
            if counted and self.left == 0:
                self.dead = True
                if self.after:
                    function(*arguments, **named)
                raise KilledError
            return function(*arguments, **named)

        return guarded


def write_new(target: Path, fails: bool = False) -> None:
    with replacing_folder(target, OWN) as partial:
        partial.mkdir()
        put(partial, NEW)
        if fails:
            raise RuntimeError


@settings(max_examples=150, deadline=None)
@given(inside=THINGS, around=THINGS, fails=st.booleans(), links=st.booleans())
def test_foreign_things_stay(
    tmp_path_factory: pytest.TempPathFactory, inside: Any, around: Any, fails: bool, links: bool
) -> None:
    parent = tmp_path_factory.mktemp("foreign")
    target = parent / "target"
    put(target, OLD)
    put_things(target, inside)
    put_things(parent, around)
    before, beside = foreign_of(target), {
        name: what for name, what in walk(parent).items() if not name.startswith("target")
    }  # fmt: skip
    whole = walk(target)
    with pytest.MonkeyPatch.context() as patch:
        if not links:
            patch.setattr(os, "link", no_links)
        if fails:
            with pytest.raises(RuntimeError):
                write_new(target, fails=True)
            assert walk(target) == whole
        else:
            write_new(target)
            found = walk(target)
            assert {name: found[name] for name in before} == before
            assert {n: w[1] for n, w in found.items() if n in OLD} == NEW
    assert {n: w for n, w in walk(parent).items() if not n.startswith("target")} == beside


def no_links(*_: Any, **__: Any) -> None:
    raise OSError(1, "Operation not permitted")


@settings(max_examples=60, deadline=None)
@given(inside=THINGS, at=st.integers(1, 6), after=st.booleans(), links=st.booleans())
def test_killed_at_any_rename(
    tmp_path_factory: pytest.TempPathFactory, inside: Any, at: int, after: bool, links: bool
) -> None:
    """Whole at once, or whole once somebody writes there again; foreign things are never gone."""
    parent = tmp_path_factory.mktemp("killed")
    target = parent / "target"
    put(target, OLD)
    put_things(target, inside)
    before, whole = foreign_of(target), walk(target)
    with pytest.MonkeyPatch.context() as patch:
        if not links:
            patch.setattr(os, "link", no_links)
        dying = Dying(patch, at, after)
        try:
            write_new(target)
        except KilledError:
            assert dying.dead
        patch.setattr("data_specs.files._is_dead", lambda process: True)
        for name in ("rename", "replace", "rmdir", "unlink"):
            patch.setattr(os, name, REAL[name])
        if links and target.exists():  # nothing is missing at any moment
            found = walk(target)
            assert {name: found.get(name) for name in before} == before
        recover(target, OWN)
    found = walk(target)
    assert {name: found.get(name) for name in before} == before
    assert found == whole or {n: w[1] for n, w in found.items() if n in OLD} == NEW
    assert [path.name for path in parent.iterdir()] == ["target"]


REAL = {name: getattr(os, name) for name in ("rename", "replace", "rmdir", "unlink")}


def test_killed_for_good(tmp_path: Path) -> None:
    """SIGKILL between the renames, and after them before foreign things without links are moved."""
    script = (
        "import os, pathlib, sys\n"
        "from data_specs.files import replacing_folder\n"
        "def no(*a, **k): raise OSError(1, 'no')\n"
        "os.link = no\n"
        "rename, left = os.rename, [int(sys.argv[2])]\n"
        "def counted(a, b, **k):\n"
        "    rename(a, b, **k); left[0] -= 1\n"
        "    if not left[0]: os.kill(os.getpid(), 9)\n"
        "os.rename = counted\n"
        "with replacing_folder(pathlib.Path(sys.argv[1]), ['ledger.json']) as partial:\n"
        "    partial.mkdir(); (partial / 'ledger.json').write_text('new')\n"
    )
    for killed_at in (1, 2, 3):
        target = tmp_path / str(killed_at) / "target"
        put(target, {"ledger.json": "old", "a/notes.txt": "mine", "b/notes.txt": "mine"})
        done = subprocess.run(
            [sys.executable, "-c", script, str(target), str(killed_at)], check=False, cwd=CHECKOUT
        )
        assert done.returncode == -9
        recover(target, ["ledger.json"])
        assert walk(target) == {
            "ledger.json": ("file", "new"), "a": ("folder",), "a/notes.txt": ("file", "mine"),
            "b": ("folder",), "b/notes.txt": ("file", "mine"),
        }  # fmt: skip
        assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_what_is_saved_while_it_is_replaced_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor saves by renaming, between the moment of linking and the swap."""
    target = tmp_path / "target"
    put(target, {"ledger.json": "old", "notes.txt": "first"})
    rename = os.rename

    def saves(a: Any, b: Any, **named: Any) -> None:
        if Path(a) == target:
            (target / "notes.new").write_text("second")
            rename(target / "notes.new", target / "notes.txt")
            (target / "late.txt").write_text("late")
        rename(a, b, **named)

    monkeypatch.setattr(os, "rename", saves)
    write_new(target)
    assert (target / "notes.txt").read_text() == "second"
    assert (target / "late.txt").read_text() == "late"
    assert (target / "ledger.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


@pytest.mark.parametrize(
    ("place", "kind", "said"),
    [("ledger.json", "folder", "is a folder, where a file"), ("store", "file", "is a file, where"),
     ("store", "link", "is a link, where a folder"), ("ledger.json", "link", "is a link, where"),
     ("store/0/data", "folder", "is a folder, where a file")],
)  # fmt: skip
def test_what_is_in_the_way_is_named_before_any_work(
    tmp_path: Path, place: str, kind: str, said: str
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    put_things(target, {tuple(f"./{place}".rsplit("/", 1)): kind})  # type: ignore[dict-item]
    before = walk(target)
    with pytest.raises(InputError, match=f"{place}: {said}"), replacing_folder(target, OWN):
        raise AssertionError("work was done")
    with pytest.raises(InputError, match=said):
        refuse_in_the_way(target, OWN)
    assert walk(target) == before


def test_what_is_in_the_way_of_what_nobody_declared(tmp_path: Path) -> None:
    target = tmp_path / "target"
    put(target, {"undeclared/notes.txt": "mine"})
    before = walk(target)
    with pytest.raises(InputError, match="undeclared: is a folder, where a file is to be written"):
        write_new(target)
    assert walk(target) == before
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_a_folder_is_written_through_a_link(tmp_path: Path) -> None:
    put(tmp_path / "disk" / "build", OLD | {"notes.txt": "mine"})
    link = tmp_path / "link"
    link.symlink_to("disk/build")
    write_new(link)
    assert link.is_symlink()
    assert (tmp_path / "disk" / "build" / "ledger.json").read_text() == "new"
    assert (link / "notes.txt").read_text() == "mine"
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["build"]
    with replacing_file(link / "notes.txt") as partial:
        partial.write_text("again")
    assert (tmp_path / "disk" / "build" / "notes.txt").read_text() == "again"


def test_own_files_are_removed_and_nothing_else(tmp_path: Path) -> None:
    put(tmp_path, OLD | {"store/1/mine": "x", "plots/mine.png": "x"})
    remove_own(tmp_path, OWN)
    assert {name for name, what in walk(tmp_path).items() if what[0] == "file"} == {
        "store/1/mine", "plots/mine.png", "undeclared",
    }  # fmt: skip
    assert not (tmp_path / "gone").exists()
