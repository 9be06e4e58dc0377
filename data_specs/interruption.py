"""Ctrl-C and SIGTERM: what is said when they end some work, and where they have to wait."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def interrupted_with(words: Callable[[], str]) -> Iterator[None]:
    """Where Ctrl-C or SIGTERM ends the work inside, say these words.

    Raises:
        KeyboardInterrupt: with them.
    """
    in_main = _gets_signals()
    before = signal.signal(signal.SIGTERM, _interrupt) if in_main else None
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(words()) from None
    finally:
        if in_main:
            signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the block has ended, which is to be short.

    For tidying: `shutil.rmtree`, interrupted as it closes a folder, closes it twice, and the
    interruption becomes an `OSError`, or another thread loses a file that it has just opened.
    """
    if not _gets_signals():
        yield
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is not None  # None: set by C code, and not to be put back
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for one in dict.fromkeys(came):
            signal.raise_signal(one)


def _gets_signals() -> bool:
    """Only the main thread gets signals, and may set handlers."""
    return threading.current_thread() is threading.main_thread()


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
