"""Freed memory is kept, so that steps with the same large tensors need no new pages."""

import sys

import pytest

from tests.processes import Program

SCRIPT = """
import resource, sys
import torch
from dcell_model.machine.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
x = torch.ones(3_500, 3_500, requires_grad=True)  # 49 MB: glibc would map and unmap it
for step in range(20):
    if step == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    x.tanh().exp().mul(2).sum().backward()
    x.grad = None
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc only")
def test_large_blocks_are_used_again() -> None:
    faults = [int(Program("-c", SCRIPT, mode).communicate()[0]) for mode in ("keep", "")]
    assert faults[0] < faults[1] / 3, faults
