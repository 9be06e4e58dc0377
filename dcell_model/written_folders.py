"""The folders that commands write, known by their markers: no file replaces a part of one."""

import os
from pathlib import Path

from data_specs import layout
from data_specs.outputs import refuse_output_file, refuse_part_of
from dcell_model import compare, screen
from dcell_model.checkpoint import run_folder
from dcell_model.explain import command as explain
from dcell_model.tune import folder as tune

_KINDS = {
    str(kind.marker): kind
    for kind in (run_folder.KIND, screen.KIND, explain.KIND, compare.KIND, tune.KIND)
}


def refuse_file(target: Path, *given: Path, suffix: str = "", kind: str = "") -> None:
    """Refuse a file to write as `refuse_output_file` does, or if it is part of a build, run, ….

    Args:
        target: the path given by `--out`.
        given: files that the command reads.
        suffix: of files of its kind.
        kind: the expected kind, for messages.

    Raises:
        InputError: says what is there.
    """
    refuse_output_file(target, given, suffix=suffix, kind=kind)
    for folder in Path(os.path.realpath(target)).parents:
        if (folder / layout.MARKER).is_file():
            entries = layout.DataLayout(folder).own_of_all()
            refuse_part_of(target, folder, entries, "build")
        for marker, written in _KINDS.items():
            if (folder / marker).is_file():
                refuse_part_of(target, folder, written.own, written.name)
