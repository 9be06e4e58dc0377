"""Recordings: when they are made and replayed, and that results are their own memory."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from dcell_model.dcell.gpu.replay import VARIABLE, Recordings

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class _Recorder:
    """Stands in for CUDA graphs: what is recorded reads and writes the same memory each time."""

    def __init__(self) -> None:
        self.recorded, self.replayed = 0, 0

    def __call__(self, work: Callable[[], list[Tensor]]) -> tuple[Callable[[], Any], list[Tensor]]:
        self.recorded += 1
        results = [torch.full_like(result, -1) for result in work()]

        def replay() -> None:
            self.replayed += 1
            for result, value in zip(results, work(), strict=True):
                result.copy_(value)

        return replay, results


def double(inputs: list[Tensor]) -> list[Tensor]:
    return [inputs[0] * 2, inputs[0] + inputs[1]]


def test_the_second_of_a_shape_is_recorded() -> None:
    record = _Recorder()
    recordings = Recordings(record)
    kept = []
    for number in range(4):
        inputs = [torch.full((3,), float(number)), torch.ones(3)]
        kept.append(recordings.run("double", double, inputs))
    assert (record.recorded, record.replayed) == (1, 3)
    # Results of earlier runs are not written over by later ones.
    for number, (twice, more) in enumerate(kept):
        assert twice.tolist() == [2 * number] * 3
        assert more.tolist() == [number + 1] * 3
    recordings.run("double", double, [torch.zeros(5), torch.ones(5)])
    recordings.run("other", double, [torch.zeros(3), torch.ones(3)])
    assert record.recorded == 1


def test_few_recordings_are_kept() -> None:
    record = _Recorder()
    recordings = Recordings(record)
    for _ in range(2):
        for size in range(1, 12):
            recordings.run("double", double, [torch.zeros(size), torch.ones(size)])
    assert record.recorded == 0
    for _ in range(2):
        for size in range(1, 5):
            recordings.run("double", double, [torch.zeros(size), torch.ones(size)])
    assert record.recorded == 4


def test_recording_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "off")
    record = _Recorder()
    for _ in range(3):
        (twice, _) = Recordings(record).run("double", double, [torch.ones(2), torch.ones(2)])
        assert twice.tolist() == [2, 2]
    assert record.recorded == 0


@pytest.mark.gpu
@pytest.mark.skipif(DEVICE.type == "cpu", reason="there is no CUDA device")
def test_a_cuda_graph_is_replayed() -> None:
    recordings = Recordings()
    for number in range(4):
        inputs = [torch.full((3,), float(number), device=DEVICE), torch.ones(3, device=DEVICE)]
        twice, more = recordings.run("double", double, inputs)
        assert twice.tolist() == [2 * number] * 3
        assert more.tolist() == [number + 1] * 3
