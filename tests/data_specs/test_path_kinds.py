"""What a path is, in words, whatever its bytes are."""

import struct
import zipfile
from pathlib import Path

from data_specs.path_kinds import is_zip, what_is

END = 22  # bytes of a ZIP archive's end record


def test_an_archive_that_claims_several_disks_is_none(tmp_path: Path) -> None:
    """Python's own `is_zipfile` raises then, where it should say no."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")
    assert is_zip(path)
    assert what_is(path) == "a ZIP archive"
    raw = path.read_bytes()
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 1, 0, 2)
    path.write_bytes(raw[:-END] + locator + raw[-END:])
    assert not is_zip(path)
    assert what_is(path) == "a ZIP archive that is cut off"
