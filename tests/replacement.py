"""Processes that read a folder while it is replaced, again and again, by one or another content."""

import multiprocessing
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_specs.files import replacing_folder


def _read(
    look: Callable[[Path], str], folder: Path, kinds: list[str], stop: Any, looks: Any, out: Any
) -> None:
    seen = [0] * len(kinds)
    while not stop.is_set():
        seen[kinds.index(look(folder))] += 1
        looks.release()
    out.put(seen)


def read_while_replaced(
    look: Callable[[Path], str],
    contents: Sequence[Path],
    target: Path,
    own: Sequence[str],
    readers: int,
    turns: int,
) -> None:
    """Check that readers see one of the contents, whole, and each of them at some time.

    Args:
        look: reads a folder and says by what its content is told; runs in processes of its own.
        contents: folders to copy to `target` in turn.
        target: the folder that is read and replaced; need not exist.
        own: patterns of what may be in it.
        readers: how many processes.
        turns: how often it is replaced.
    """
    kinds = [look(folder) for folder in contents]
    shutil.copytree(contents[0], target)
    fork = multiprocessing.get_context("fork")
    stop, looks, out = fork.Event(), fork.Semaphore(0), fork.SimpleQueue()
    given = (look, target, kinds, stop, looks, out)
    processes = [fork.Process(target=_read, args=given) for _ in range(readers)]
    for process in processes:
        process.start()
    for turn in range(1, turns + 1):
        with replacing_folder(target, own) as partial:
            shutil.copytree(contents[turn % len(contents)], partial)
        while looks.acquire(block=False):
            pass
        for _ in processes:  # as many looks at the new one as there are readers
            assert looks.acquire(timeout=60)
    stop.set()
    for process in processes:
        process.join(timeout=30)
    assert [process.exitcode for process in processes] == [0] * readers
    seen = np.sum([out.get() for _ in processes], axis=0)
    assert (seen > 0).all(), seen
