import os
import shutil
import signal
import threading
from pathlib import Path

import pytest

from data_specs.files import replacing_file
from data_specs.interruption import interrupted_with, uninterrupted

ENDS = pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])


@ENDS
def test_an_interruption_waits_for_the_end_of_the_block(end: signal.Signals) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    done: list[str] = []

    def work() -> None:
        with interrupted_with(lambda: "kept"):
            with uninterrupted():
                os.kill(os.getpid(), end)
                os.kill(os.getpid(), end)
                done.append("the block")
            done.append("what follows")

    with pytest.raises(KeyboardInterrupt, match="kept"):
        work()
    assert done == ["the block"]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_it_does_not_hide_an_error_of_the_block() -> None:
    @uninterrupted()
    def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        raise OSError("the disk is full")

    with pytest.raises(KeyboardInterrupt) as caught:
        work()
    assert isinstance(caught.value.__context__, OSError)


def test_other_threads_get_no_signals() -> None:
    done = []

    def work() -> None:
        with interrupted_with(lambda: "kept"), uninterrupted():
            done.append("the block")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == ["the block"]


def test_a_finished_file_is_tidied_up_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`shutil.rmtree`, interrupted as it closes a folder, closed it twice: an `OSError`."""
    closing = os.close

    def interrupted_close(opened: int) -> None:
        closing(opened)
        os.kill(os.getpid(), signal.SIGINT)

    removing = shutil.rmtree

    def remove(folder: Path, **options: bool) -> None:
        monkeypatch.setattr(os, "close", interrupted_close)
        removing(folder, **options)
        monkeypatch.setattr(os, "close", closing)

    monkeypatch.setattr(shutil, "rmtree", remove)
    with pytest.raises(KeyboardInterrupt), replacing_file(tmp_path / "file") as partial:
        partial.write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "new"
