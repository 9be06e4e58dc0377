"""Random trees of what users keep in and around the folders that commands write."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from data_specs.own_entries import Patterns, is_own, leads_to_own

Tree = Mapping[str, Any]  # bytes of a file, ("link", where it leads), or None for an empty folder
NAMES = (
    "notes.txt", ".hidden", "runs", "first", "checkpoint.pt", "splits", "store", "own", "x",
    "plots", "a b", "[1]", "*", "ü", "new\nline", "genotypes.parquet", "x.previous",
    "data.mdb", "live",
)  # fmt: skip
_CONTENTS = (
    st.binary(max_size=4)
    | st.none()
    | st.sampled_from(["gone", "notes.txt", "../x", "/"]).map(lambda where: ("link", where))
)


def trees(own: Patterns) -> st.SearchStrategy[Tree]:
    """Trees of paths that no pattern names; no two of them are in each other's way."""
    paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
    drawn = st.dictionaries(paths, _CONTENTS, max_size=8)
    return drawn.map(lambda tree: {p: v for p, v in tree.items() if _fits(p, v, tree, own)})


def _fits(path: str, value: Any, tree: Tree, own: Patterns) -> bool:
    entry = Path(path)
    above = [str(folder) for folder in entry.parents][:-1]
    way = any(is_own(Path(each), own) for each in (path, *above))
    empty = value is None
    return not (way or leads_to_own(entry, own) or any(tree.get(each) for each in above)
                or any(each in tree and tree[each] == b"" for each in above)
                or (not empty and any(p.startswith(f"{path}/") for p in tree)))  # fmt: skip


def plant(tree: Tree, folder: Path) -> None:
    """Write a tree into a folder."""
    for path, value in tree.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if value is None:
            place.mkdir(exist_ok=True)
        elif isinstance(value, tuple):
            place.symlink_to(value[1])
        else:
            place.write_bytes(value)


def found(folder: Path) -> dict[str, Any]:
    """What lies in a folder, with its empty folders; links are not followed."""
    here: dict[str, Any] = {}
    for above, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(above) / name
            key = str(path.relative_to(folder))
            if path.is_symlink():
                here[key] = ("link", str(path.readlink()))
            elif path.is_dir():
                here[key] = None
            else:
                here[key] = path.read_bytes()
    return here


def missing(tree: Tree, folder: Path) -> dict[str, Any]:
    """What of a tree is not in a folder any more, or is another."""
    here = found(folder)
    return {path: value for path, value in tree.items() if here.get(path, "gone") != value}
