"""A training that ends in the middle, as by a kill."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from dcell_model.train import loop


class StopError(Exception):
    """Ends a training."""


@contextlib.contextmanager
def stopping_after(epochs: int) -> Iterator[None]:
    """Trainings in it end with `StopError` once so many epochs are done."""
    whole_epoch = loop._Training._train_one_epoch

    def dies(self: loop._Training, epoch: int, advance: Any) -> list[float]:
        if epoch > epochs:
            raise StopError
        return whole_epoch(self, epoch, advance)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop._Training, "_train_one_epoch", dies)
        yield
