"""When the checkpoints of a run are written: as often as costs a small share of its time.

A checkpoint with the optimiser's moments is three times as large as the model: 164 MiB on yeast's
whole ontology, where an epoch of a small table takes less time than writing it. So an epoch is
saved once training has gone on for twenty times as long as the last writing took, and the last one
always. The best weights wait in memory meanwhile: `checkpoint.pt` and `last.pt` are of one moment.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from dcell_model import checkpoint
from dcell_model.checkpoint import BEST, LAST, Checkpoint
from dcell_model.train.state import TrainingState

SHARE = 0.05  # of the time that training may spend on writing checkpoints


class Saving:
    """The checkpoints of one run.

    Args:
        out: folder of the run.
        state: how far the run has come.
        last: the content of `last.pt`, as the run is at the moment.
        share: of the time that may go into writing; 1 writes after every epoch.
    """

    def __init__(
        self,
        out: Path,
        state: TrainingState,
        last: Callable[[], Checkpoint],
        share: float = SHARE,
    ) -> None:
        self.out, self.state, self.last, self.share = out, state, last, share
        self._best: Checkpoint | None = None
        self._unsaved = False
        self._seconds, self._end = 0.0, -float("inf")  # of the last writing

    def finish_epoch(self, best: Checkpoint | None) -> None:
        """Take an epoch that is done; with the best checkpoint, if it is the best so far."""
        self._unsaved = True
        if best is not None:
            self._best = best
        waited = time.perf_counter() - self._end
        if self._seconds <= self.share * (waited + self._seconds):
            self.write()
        elif best is not None:  # the weights move on
            self._best = best | {"model": _copied(best["model"])}

    def write(self) -> None:
        """Write what is not written: the best epoch, and the last from which a run goes on."""
        begun = time.perf_counter()
        if self._best is not None:
            self.state.best["sha256"] = checkpoint.save(self._best, self.out / BEST)
            self._best = None
        checkpoint.save(self.last(), self.out / LAST)
        self._unsaved = False
        self._end = time.perf_counter()
        self._seconds = self._end - begun

    def finish(self) -> None:
        """Write the last epoch, if that is still to be done."""
        if self._unsaved:
            self.write()

    @contextlib.contextmanager
    def before_an_end(self) -> Iterator[None]:
        """Between two epochs: what ends the run here finds the epoch before saved."""
        try:
            yield
        except BaseException:
            self.finish()
            raise


def _copied(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
