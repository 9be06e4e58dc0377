"""Builds without a cluster, whatever pieces and parts a table has."""

import pytest

from data_specs.workers import workers
from pipeline.genotypes import stage as genotypes
from pipeline.split import stage as split
from pipeline.store import stage as store


def build_here(patch: pytest.MonkeyPatch) -> None:
    """Let this process do what workers would do."""
    for module in (genotypes, store, split):
        patch.setattr(module, "workers", lambda settings, _: workers(settings, 1))


@pytest.fixture
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    build_here(monkeypatch)
