"""Where other disks are mounted: nothing on them can be linked into this one, or renamed to it."""

import os
import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")


def mounted_in(folder: Path) -> Path | None:
    """The first place in a folder where a disk, or another folder, is mounted."""
    try:
        lines = os.fsdecode(_MOUNTS.read_bytes()).splitlines()
    except OSError:
        return None  # not Linux: an attempt will say whether files can be linked
    places = (Path(_plain(line.split(" ")[4])) for line in lines)
    return min((each for each in places if folder in each.parents), default=None)


def _plain(text: str) -> str:
    """Blanks, tabs, line ends and backslashes are written as octal numbers there."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
