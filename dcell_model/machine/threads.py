"""How many threads torch's operators run on."""

import contextlib
import os
from collections.abc import Iterator

import torch

# Multiply-adds of a matrix product from which on a second thread pays; docs/performance.md has the
# measurements, on a quiet machine and beside busy loops.
WORTHWHILE = 5e6


def threads() -> int:
    """The threads of torch's operators at present."""
    return torch.get_num_threads()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run operators on one thread.

    For many small operators more threads mostly wait for each other, by spinning: on a machine that
    does something else too they took nine times as long. And sums then do not depend on how many
    cores there are, nor do the bytes that are written.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def threads_for(product: float) -> Iterator[int]:
    """Run operators on one thread unless their products are worth more.

    Args:
        product: multiply-adds of a typical matrix product.

    Yields:
        The number of threads. `OMP_NUM_THREADS` is the user's word, and holds.
    """
    if "OMP_NUM_THREADS" in os.environ or product >= WORTHWHILE:
        yield torch.get_num_threads()
    else:
        with one_thread():
            yield 1
