"""All ways to run a DCell, by name: what `incremental` picks can be forced."""

import contextlib
from collections.abc import Iterator
from unittest import mock

import pytest

from dcell_model.data import MutantStateBatch
from dcell_model.dcell import DCell
from dcell_model.dcell.engines import columns_pass, native_pass
from dcell_model.dcell.native import load

WAYS = ("native", "torch")


@contextlib.contextmanager
def running(way: str) -> Iterator[str]:
    """The name of the engine that runs a DCell in this way; skips without the native library.

    Beside `WAYS` there is `columns`, which runs in Triton's interpreter on a CPU, slowly.
    """
    if way != "torch" and load() is None:
        pytest.skip("the native pass is not built")
    if way == "columns":
        pytest.importorskip("triton", reason="Triton has no wheel for this platform")

    def suits(model: DCell) -> bool:  # a mock would not compile
        return way == "native"

    def columns(model: DCell, batch: MutantStateBatch) -> bool:
        return way == "columns"

    with (
        mock.patch.object(native_pass, "suits", new=suits),
        mock.patch.object(columns_pass, "suits", new=columns),
    ):
        yield "incremental"
