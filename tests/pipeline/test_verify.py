"""`verify` passes what is right and finds what is not."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from data_specs.cell_graph import CellGraph
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.store import StoreReader
from pipeline.verify import verify


@pytest.fixture
def build(tiny_build: Path, tmp_path: Path) -> DataLayout:
    shutil.copytree(tiny_build, tmp_path / "build")
    return DataLayout(tmp_path / "build")


def failures(layout: DataLayout) -> dict[str, str]:
    return {check.name: check.detail for check in verify(layout) if not check.passed}


def rewrite(layout: DataLayout, **changes: object) -> None:
    """The cell graph with some arrays changed, consistent with its own fingerprint."""
    graph = CellGraph.read(layout.cell_graph)
    fields = {name: getattr(graph, name) for name in CellGraph.__dataclass_fields__}
    shutil.rmtree(layout.cell_graph)
    CellGraph(**(fields | changes)).write(layout.cell_graph)  # type: ignore[arg-type]


def test_good_build(build: DataLayout) -> None:
    checks = list(verify(build))
    assert all(check.passed for check in checks)
    assert len(checks) == 9


def test_damaged_cell_graph(build: DataLayout) -> None:
    path = build.cell_graph / "terms.arrow"
    raw = bytearray(path.read_bytes())
    raw[raw.find(b"GO:0000002") + 3] ^= 1
    path.write_bytes(raw)
    assert "its checksum is not the one" in failures(build)["cell graph"]


def test_wrong_strata(build: DataLayout) -> None:
    graph = CellGraph.read(build.cell_graph)
    strata = graph.strata.copy()
    strata[-1] += 1
    rewrite(build, strata=strata)
    found = failures(build)
    assert "strata are neither" in found["hierarchy"]
    assert "fingerprint" in found["store"]


def test_unsorted_rows(build: DataLayout) -> None:
    graph = CellGraph.read(build.cell_graph)
    rewrite(build, annotations=graph.annotations[::-1].copy())
    assert "not sorted" in failures(build)["wild type"]


def test_damaged_block(build: DataLayout) -> None:
    path = build.store / "00000" / "data.mdb"
    raw = bytearray(path.read_bytes())
    place = raw.find(bytes(StoreReader(build.store).check_block(0)[:300]))
    raw[place + 250] ^= 0xFF
    path.unlink()  # a new file: the old one stays mapped as it was
    path.write_bytes(raw)
    assert "block 0" in failures(build)["blocks"]


def test_wrong_split(build: DataLayout) -> None:
    path = build.split / "split.parquet"
    split = pl.read_parquet(path)
    split[:-1].write_parquet(path)
    assert "not each once" in failures(build)["split"]


def test_ledger_that_does_not_add_up(build: DataLayout) -> None:
    path = build.annotations / "ledger.json"
    ledger = read_json(path)
    write_json(path, ledger | {"kept": ledger["kept"] - 1})
    assert "do not add up" in failures(build)["ledger"]


def test_missing_parts(build: DataLayout) -> None:
    shutil.rmtree(build.store)
    shutil.rmtree(build.genotypes)
    found = failures(build)
    assert "no such file" in found["ledger"].lower()
    assert "finished build" in found["store"]
