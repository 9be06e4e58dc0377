"""One thread unless the products pay for more, and what is set before torch is imported."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from dcell_model.machine.threads import WORTHWHILE, threads_for
from tests.conftest import CHECKOUT


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("product", "threads"), [(0, 1), (WORTHWHILE - 1, 1), (WORTHWHILE, 2)])
def test_small_products_run_on_one(two_threads: None, product: float, threads: int) -> None:
    with threads_for(product) as number:
        assert number == torch.get_num_threads() == threads
    assert torch.get_num_threads() == 2


def test_the_users_word_holds(two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with threads_for(0) as number:
        assert number == torch.get_num_threads() == 2


@pytest.mark.parametrize(
    ("given", "found"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_threads_spin_shortly_unless_the_user_says_otherwise(
    given: dict[str, str], found: str
) -> None:
    own = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    script = "import os, dcell_model; print(os.environ.get('GOMP_SPINCOUNT'))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=CHECKOUT, env=own | given,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == found
