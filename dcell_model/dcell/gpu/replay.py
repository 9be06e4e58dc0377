"""Recordings of all launches of a pass (CUDA graphs), replayed on other batches of their shape.

A pass is some eighty launches of a few microseconds each: from Python they take longer than what
they do. A recording reads its inputs from, and leaves its results in, memory of its own; both are
copied, so that results live as long as those of any operator, and many passes may come before
their backward passes.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

VARIABLE = "DCELL_GRAPHS"
_KEPT = 8  # recordings: each has a pass's memory of its own
Work = Callable[[list[Tensor]], list[Tensor]]


def record_cuda_graph(work: Callable[[], list[Tensor]]) -> tuple[Callable[[], Any], list[Tensor]]:
    """What runs the launches of `work` again, and where they leave their results."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        work()  # compiles kernels, which must not happen while launches are recorded
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    # Other threads, which copy batches ahead, are not recorded and may go on.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        results = work()
    return graph.replay, results


class _Recording:
    """One recording and its memory."""

    def __init__(self, work: Work, inputs: Sequence[Tensor], record: Any) -> None:
        self.inputs = [tensor.clone() for tensor in inputs]
        types = {tensor.dtype for tensor in inputs}
        # By type: one launch copies all of one, and several types take a launch for each tensor.
        self.alike = [
            [number for number, tensor in enumerate(inputs) if tensor.dtype == one]
            for one in sorted(types, key=str)
        ]
        self.replay, self.results = record(lambda: work(self.inputs))

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        for numbers in self.alike:
            torch._foreach_copy_([self.inputs[n] for n in numbers], [inputs[n] for n in numbers])
        self.replay()
        return [tensor.clone() for tensor in self.results]


class Recordings:
    """The recordings of one hierarchy by what they depend on; the least used are dropped.

    A shape is recorded when it is met the second time: one pass alone is not worth it.

    Args:
        record: how work is recorded (`record_cuda_graph`).
    """

    def __init__(self, record: Callable[..., Any] = record_cuda_graph) -> None:
        self._record = record
        self._kept: OrderedDict[Hashable, _Recording | None] = OrderedDict()

    def run(self, key: Hashable, work: Work, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The results of `work(inputs)`, in new memory.

        Args:
            key: all that `work` depends on, but for the numbers in `inputs`.
            work: makes its results by launches alone, and waits for none.
            inputs: on one CUDA device.
        """
        device = inputs[0].device
        shapes = tuple((tensor.shape, tensor.dtype) for tensor in inputs)
        key = key, shapes, device
        if os.environ.get(VARIABLE) == "off":
            return work(list(inputs))
        if key not in self._kept:
            self._kept[key] = None
            results = work(list(inputs))
        else:
            recording = self._kept[key]
            if recording is None:
                recording = self._kept[key] = _Recording(work, inputs, self._record)
            results = recording.run(inputs)
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return results
