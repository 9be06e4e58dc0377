"""Where something is written until it is whole: a folder beside its place, which a kill may leave.

A workplace `.NAME.HOST-PROCESS.RANDOM` holds, under names that cannot be taken for one another,

- `NAME`: what is being written
- `NAME.own`: patterns of what is written (`data_specs.own_entries`), as JSON; the operating system
  locks it as long as the process lives
- `NAME.previous`: the folder that stood there before; from then on `NAME` is whole
- `NAME.between`: a folder that somebody made there in that moment
- `NAME.ready`: what is whole, and is to fill a folder that cannot be renamed
"""

import contextlib
import fcntl
import glob
import json
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data_specs.errors import InputError
from data_specs.interruption import uninterrupted
from data_specs.own_entries import Patterns, bring_foreign, link_foreign, refuse_conflicts

HERE = re.sub(r"\W", "_", platform.node()) or "host"
_NAME = re.compile(r"\..+\.(?P<host>\w+)-(?P<process>\d+)\.[a-z0-9_]{8}", re.DOTALL)
_BEGUN = ".begun"  # at the end of the name, until the process has its lock
_A_WHILE = 60.0  # seconds: no living process takes as long for that


@dataclass(frozen=True, slots=True)
class Workplace:
    """A workplace for what is to stand at `real`.

    Attributes:
        folder: the workplace.
        real: where it is to stand, links followed.
        own: patterns of the entries that are written there.
    """

    folder: Path
    real: Path
    own: Patterns

    @property
    def new(self) -> Path:
        """The new folder, while it is written."""
        return self.folder / self.real.name

    def _beside(self, what: str) -> Path:
        return self.folder / f"{self.real.name}.{what}"

    @property
    def previous(self) -> Path:
        """The earlier folder, with its foreign entries."""
        return self._beside("previous")

    @property
    def _between(self) -> Path:
        return self._beside("between")

    @property
    def _ready(self) -> Path:
        return self._beside("ready")

    @property
    def is_pending(self) -> bool:
        """Whether files here still have to be moved back."""
        return any(os.path.lexists(p) for p in (self.previous, self._between, self._ready))

    def exchange(self) -> None:
        """Replace the old folder by the new one, and move foreign entries over.

        Raises:
            InputError: something new would stand where something foreign does; nothing is changed.
            OSError: the disk refuses; either nothing is changed, or `settle` can go on.
        """
        if self.real.is_dir():
            link_foreign(self.real, self.new, self.own)
            self.real.rename(self.previous)
        try:
            self.new.rename(self.real)
        except OSError:
            if not self.previous.exists():
                raise
            if not self.real.exists():
                self.previous.rename(self.real)
                raise
        self.settle()

    def fill(self) -> None:
        """Move new entries into the existing folder, which cannot be renamed.

        Raises:
            InputError: something new would stand where something foreign does; nothing is changed.
        """
        refuse_conflicts(self.new, self.real)
        self.new.rename(self._ready)
        self.settle()

    def settle(self) -> None:
        """Finish a replacement that was complete; it may be called again after any kill.

        Raises:
            InputError: the disk refuses; says where things are.
        """
        try:
            if self.previous.exists():
                if self.new.exists():
                    if self.real.exists():
                        self.real.rename(self._between)
                    self.new.rename(self.real)
                bring_foreign(self.previous, self.real, self.own)
            for whole in (self._between, self._ready):
                if whole.exists():
                    bring_foreign(whole, self.real, ())
        except OSError as error:
            raise InputError(
                f"{self.real}: its files are still in {self.folder}: {error.strerror}. "
                "Nothing is lost; the next command that writes there moves them back."
            ) from error


@contextlib.contextmanager
def workplace(real: Path, where: Path, own: Patterns) -> Iterator[Workplace]:
    """A workplace in the folder `where`, removed at the end unless something there is pending.

    Raises:
        OSError: it cannot be made.
    """
    prefix = f".{real.name}.{HERE}-{os.getpid()}."
    folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=_BEGUN, dir=where))
    work = Workplace(folder, real, own)
    lock = None
    try:
        lock = os.open(work._beside("own"), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with contextlib.suppress(OSError):  # a disk without locks: the process number must do
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(lock, json.dumps(list(own)).encode())
        work = Workplace(folder.rename(folder.with_name(folder.name.removesuffix(_BEGUN))),
                          real, own)  # fmt: skip
        yield work
    finally:
        with uninterrupted():
            _leave(work, lock)


def _leave(work: Workplace, lock: int | None) -> None:
    try:
        if work.is_pending:
            with contextlib.suppress(InputError):  # it stays for `recover`
                work.settle()
    finally:
        if lock is not None:
            os.close(lock)
    if not work.is_pending:
        shutil.rmtree(work.folder, ignore_errors=True)


def is_workplace(name: str) -> bool:
    """Whether a name is that of a folder in which something is, or was, being written."""
    return _NAME.fullmatch(name.removesuffix(_BEGUN)) is not None


def shown(path: Path) -> Path:
    """The path as the user knows it, when it lies in a folder that is still being written."""
    return Path(*(part for part in path.parts if not is_workplace(part)))


def recover(target: Path) -> None:
    """Finish the replacements of killed processes that were complete; remove the others.

    What a process of another machine left is finished, too, but never removed: it may live.

    Raises:
        InputError: the disk refuses; says where things are.
    """
    real = Path(os.path.realpath(target))
    for folder in (real.parent, real):
        if folder.is_dir():
            for left in sorted(folder.glob(f".{glob.escape(real.name)}.*-*.*")):
                found = _NAME.fullmatch(left.name.removesuffix(_BEGUN))
                if not found or not left.name.startswith(f".{real.name}.{found['host']}-"):
                    continue
                with uninterrupted():
                    if found["host"] == HERE and _is_hardly_there(left, real):
                        shutil.rmtree(left, ignore_errors=True)
                    else:
                        _recover(left, real, found["host"] == HERE, int(found["process"]))


def _is_hardly_there(left: Path, real: Path) -> bool:
    """Whether a process was killed as it made the workplace, or as it removed it."""
    work = Workplace(left, real, ())
    if not left.name.endswith(_BEGUN) and (work.is_pending or work._beside("own").exists()):
        return False
    try:
        return time.time() - left.stat().st_mtime >= _A_WHILE
    except OSError:  # gone
        return False


def _recover(left: Path, real: Path, is_here: bool, process: int) -> None:
    path = Workplace(left, real, ())._beside("own")
    try:
        lock = os.open(path, os.O_RDWR)
    except OSError:  # being made, being removed, or somebody else's
        return
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # its process lives
        except OSError:  # a disk without locks
            if not (is_here and _is_dead(process)):
                return
        work = Workplace(left, real, _patterns(path))
        if work.is_pending:
            work.settle()
        elif not is_here:
            return
        if not work.is_pending:
            shutil.rmtree(left, ignore_errors=True)
    finally:
        os.close(lock)


def _patterns(path: Path) -> Patterns:
    try:
        return [str(pattern) for pattern in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):  # killed while it wrote them
        return ()


def _is_dead(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # somebody else's, and alive
    return False
