"""The folders that commands write: when one may be taken, and by whom."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_specs.errors import InputError
from data_specs.layout import read_json
from data_specs.locks import is_lock, writing
from data_specs.outputs import refuse_finished, refuse_inputs_within, refuse_no_folder, written
from data_specs.own_entries import Patterns, refuse_in_the_way
from data_specs.workplaces import is_workplace, recover


@dataclass(frozen=True, slots=True)
class FolderKind:
    """The entries that a command writes into a folder.

    Attributes:
        name: for messages: build, run.
        own: patterns of all that is ever written (`data_specs.own_entries`).
        results: those of them that are not replaced unless the user asks for it.
        marker: the file by which such a folder is known; none: the folder must be new or empty.
        description: the content of the marker; its `format` tells the kind.
        instead: the alternative to replacing results, for the message.
    """

    name: str
    own: Patterns
    results: Patterns
    marker: str | None = None
    description: Any = None
    instead: str = "name another folder"

    def named(self) -> str:
        """The name with its article."""
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"


@contextlib.contextmanager
def taken(
    folder: Path, kind: FolderKind, *, overwrite: bool, inputs: Sequence[Path] = ()
) -> Iterator[None]:
    """Hold a folder for a command while the block writes into it; refuse it before any work.

    Args:
        folder: need not exist.
        kind: the kind of folder that is written.
        overwrite: replace earlier results of the kind.
        inputs: paths that the command reads.

    Raises:
        InputError: it is a file, or of something else; something is in the way; it holds results
            and `overwrite` is not given; an input would be replaced; another process has it.
    """
    refuse_no_folder(folder)
    refuse_inputs_within(folder, kind.own, inputs)
    with writing(folder):
        recover(folder)
        refuse_foreign(folder, kind)
        refuse_finished(
            folder, kind.results, kind.named(), overwrite=overwrite, instead=kind.instead
        )
        if folder.is_dir():
            refuse_in_the_way(folder, kind.own)
        yield


def refuse_foreign(folder: Path, kind: FolderKind) -> None:
    """Refuse a folder unless it is new, empty, or an earlier one of its kind.

    Raises:
        InputError: it is a folder with something else in it.
    """
    marker = kind.marker
    if marker is None or not folder.is_dir():
        return
    # A run that was killed at once has left only the temporary file of the marker.
    if not any(not _is_ours(p.name, marker) for p in folder.iterdir()):
        return
    if not (folder / marker).is_file():
        raise InputError(
            f"{folder}: exists and is not an earlier {kind.name} (no {marker} in it). Name another "
            "folder, or remove it yourself."
        )
    found = read_json(folder / marker)
    if not isinstance(found, dict) or found.get("format") != kind.description["format"]:
        raise InputError(f"{folder / marker}: not the marker of an earlier {kind.name}")


def refuse_not_empty(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that is to be new or empty, unless the user asks for it.

    Raises:
        InputError: something is in it.
    """
    found = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    found = [name for name in found if not _is_ours(name)]
    if found and not overwrite:
        shown = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
        raise InputError(
            f"{folder}: exists; name a new or empty folder. It holds {shown}, written "
            f"{written(folder, [Path(name) for name in found])}; --overwrite replaces the files "
            "that this command writes, and leaves all others"
        )


def _is_ours(name: str, marker: str = "/") -> bool:
    """Whether an entry is a lock, or a temporary file or folder of a write."""
    return is_workplace(name) or name.startswith(f".{marker}.") or is_lock(name)
