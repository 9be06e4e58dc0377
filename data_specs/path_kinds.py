"""The kind of file or folder at a path, in words, for error messages."""

import stat
import struct
import zipfile
from pathlib import Path

# The folders that commands write, by the file that they are known by.
FOLDERS = {
    "dcell-data.json": "the folder of a build",
    "dcell-run.json": "the folder of a run",
    "screen.json": "the folder of a screen",
    "dcell-comparison.json": "the folder of a comparison",
    "dcell-tune.json": "the folder of a tuning",
    "explain.json": "a folder of `dcell explain`",
    "cell_graph.json": "the cell graph of a build",
}
_MODES = (
    (stat.S_ISFIFO, "a named pipe (FIFO)"), (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
)  # fmt: skip
_BEGINNINGS = (
    (b"\x1f\x8b", "a gzipped file"), (b"PAR1", "a Parquet table"), (b"ARROW1", "an Arrow file"),
    (b"\x89PNG", "a PNG image"), (b"\x89HDF", "an HDF5 file"), (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"), (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
)  # fmt: skip
_LOOKED_AT = 4096


def what_is(path: Path) -> str:
    """The kind: `the folder of a build`, `a text file`, …; no file is read to its end.

    Raises:
        OSError: there is nothing, or it cannot be read.
    """
    mode = path.stat().st_mode
    for holds, name in _MODES:
        if holds(mode):
            return name
    if stat.S_ISDIR(mode):
        return _what_folder(path)
    with path.open("rb") as stream:
        head = stream.read(_LOOKED_AT)
    if not head:
        return "an empty file"
    for beginning, name in _BEGINNINGS:
        if head.startswith(beginning):
            return name
    if is_zip(path):
        return _what_archive(path)
    if head.startswith(b"PK"):
        return "a ZIP archive that is cut off"
    return _what_text(head) or "a binary file"


def is_zip(path: Path) -> bool:
    """Whether a file is a ZIP archive by its last bytes; one that is damaged there is none."""
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # raised for an archive that claims to lie on several disks
        return False


def built_or_run(path: Path) -> tuple[Path, str] | None:
    """The nearest folder at or above a path that a command wrote, and its kind."""
    for folder in (path, *path.parents):
        for marker in FOLDERS:
            if marker != "cell_graph.json" and (folder / marker).is_file():
                return folder, FOLDERS[marker]
    return None


def _what_folder(path: Path) -> str:
    for marker, name in FOLDERS.items():
        if (path / marker).is_file():
            return name
    return "a folder" if any(path.iterdir()) else "an empty folder"


def archive_entries(path: Path) -> list[zipfile.ZipInfo] | None:
    """The names in a ZIP archive; None where it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error):
        return None  # errors of zipfile on flipped bytes


def _what_archive(path: Path) -> str:
    entries = archive_entries(path)
    if entries is None:
        return "a damaged ZIP archive"
    names = [entry.filename for entry in entries]
    if "checkpoint.json.npy" in names:
        return "a file of `dcell export`, which `dcell import` turns into a checkpoint"
    if any(name.endswith("/data.pkl") for name in names):
        return "a file of PyTorch"
    if names and all(name.endswith(".npy") for name in names):
        return "a NumPy archive"
    return "a workbook" if "xl/workbook.xml" in names else "a ZIP archive"


def _what_text(head: bytes) -> str | None:
    try:
        text = head[:-4].decode() if len(head) == _LOOKED_AT else head.decode()
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    if text.lstrip().startswith("{"):
        # A run's record has its history behind these; of a long one only the beginning is here.
        known = '"best_epoch"' in text and '"seconds_per_epoch"' in text
        return "the record of a run" if known else "a JSON file"
    return "a text file"
