"""How many threads torch's operators run on."""

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run operators on one thread.

    For many small operators more threads mostly wait for each other, by spinning: on a machine that
    does something else too they took nine times as long. And sums then do not depend on how many
    cores there are, nor do the bytes of what is written.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
