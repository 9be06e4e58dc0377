"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real input files; skips the test where there is none."""
    folder = Path(os.environ.get("DCELL_REAL_DATA") or CHECKOUT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set DCELL_REAL_DATA")
    return folder
