"""What is measured of the loader; that workers give the same batches is tested with the loader."""

from pathlib import Path
from typing import Any

from dcell_model.bench import loader


def test_a_row_has_all_figures(tiny_build: Path) -> None:
    with_loader = loader.measure(tiny_build, "DataLoader")
    (gathered,) = loader.run(tiny_build, [loader.GATHERED])  # in a process of its own
    complete(with_loader, "DataLoader")
    complete(gathered, loader.GATHERED)


def complete(row: dict[str, Any], how: str) -> None:
    assert row["how"] == how
    assert 2 < row["batch_size"] < loader.BATCH  # all of a store that is smaller
    rates = row["samples_per_second"]
    assert 0 < rates["p20"] <= rates["median"] <= rates["p80"]
