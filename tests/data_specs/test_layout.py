"""Folders of other kinds than the one asked for."""

from pathlib import Path

import pytest

from data_specs.errors import InputError
from data_specs.layout import MARKERS, require_kind


def test_a_folder_of_another_kind(tmp_path: Path) -> None:
    for kind, marker in MARKERS.items():
        (tmp_path / kind).mkdir()
        (tmp_path / kind / marker).touch()
    for kind in MARKERS:
        require_kind(tmp_path / kind, kind)
        for other in MARKERS.keys() - {kind}:
            with pytest.raises(InputError, match=f"folder of a {kind}; expected that of a {other}"):
                require_kind(tmp_path / kind, other)


def test_a_folder_without_a_marker_is_left_to_who_reads_it(tmp_path: Path) -> None:
    require_kind(tmp_path, "build")


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder; expected that of a build"):
        require_kind(tmp_path / "absent", "build")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is no folder"):
        require_kind(tmp_path / "file", "run")
