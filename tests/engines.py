"""All ways to run a DCell, by name: what `incremental` picks can be forced."""

import contextlib
from collections.abc import Iterator
from unittest import mock

import pytest

from dcell_model.dcell import DCell
from dcell_model.dcell.engines import native_pass
from dcell_model.dcell.native import load

WAYS = ("native", "torch")


@contextlib.contextmanager
def running(way: str) -> Iterator[str]:
    """The name of the engine that runs a DCell in this way; skips without the native library."""
    if way == "native" and load() is None:
        pytest.skip("the native pass is not built")

    def suits(model: DCell) -> bool:  # a mock would not compile
        return way == "native"

    with mock.patch.object(native_pass, "suits", new=suits):
        yield "incremental"
