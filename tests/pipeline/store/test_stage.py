"""The store: exact, deterministic, small, and never half there."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from data_specs.cell_graph import CellGraph
from data_specs.errors import ArtefactError
from data_specs.files import sha256_of
from data_specs.parameters.sections import Store, resolve
from data_specs.store.manifest import DATA, shard_name
from data_specs.store.reader import StoreReader
from dcell_model.data.dataset import MutantStateDataset
from pipeline.build import build
from pipeline.store import stage as store
from pipeline.store.samples import select_samples
from pipeline.store.stage import write_manifest, write_shard
from tests.conftest import tiny_parameters
from tests.hierarchies import random_cell_graph
from tests.processes import Program


def genotypes(graph: CellGraph, count: int, seed: int = 0) -> pl.DataFrame:
    """Random genotypes of one to three genes, some of them unknown to the graph."""
    random = np.random.default_rng(seed)
    names = [*graph.gene_ids, "ZZZ1", "AAA1"]
    genes = [
        sorted(random.choice(names, size=random.integers(1, 4), replace=False).tolist())
        for _ in range(count)
    ]
    values = random.normal(size=count)
    values[0] = np.nan
    return pl.DataFrame(
        {
            "genes": genes,
            "count": pl.Series([1] * count, dtype=pl.UInt32),
            "score": pl.Series(values, nan_to_null=True),
            "score_spread": pl.Series([None] * count, dtype=pl.Float64),
        }
    )


def write(
    graph: CellGraph, table: pl.DataFrame, folder: Path, shards: int = 1, **settings: Any
) -> Path:
    config = Store(**settings)
    folder.mkdir()
    others = sorted(set(table["genes"].explode()) - set(graph.gene_ids))
    samples = [
        select_samples(part, graph, others)
        for part in table.iter_slices(-(-table.height // shards))
    ]
    written = [
        write_shard(own, graph, config, folder / shard_name(number))
        for number, own in enumerate(samples)
    ]
    write_manifest(written, graph, config, others, tuple(samples[0].phenotypes), folder)
    return folder


def dense_by_hand(graph: CellGraph, genes: list[str]) -> np.ndarray[Any, Any]:
    state = graph.wild_type.copy()
    for row, (_, gene) in enumerate(graph.annotations):
        if graph.gene_ids[gene] in genes:
            state[row, 3] = 0
    return state


@pytest.mark.parametrize("layout", ["delta", "dense"])
@pytest.mark.parametrize("block_bytes", [1, 500, 2**24])
@pytest.mark.parametrize("shards", [1, 4])
def test_both_layouts_read_back_the_same_state(
    tmp_path: Path, layout: str, block_bytes: int, shards: int
) -> None:
    graph = random_cell_graph(3)
    table = genotypes(graph, 17)
    settings = {"layout": layout, "block_bytes": block_bytes}
    store = write(graph, table, tmp_path / "store", shards, **settings)
    dataset = MutantStateDataset(store, graph)
    assert len(dataset) == 17
    blocks = len(dataset.meta.blocks)
    assert blocks == 17 if block_bytes == 1 else blocks < 17
    for index, genes in enumerate(table["genes"].to_list()):
        sample = dataset[index]
        assert [dataset.gene_ids[gene] for gene in sample.genes] == genes
        expected = dense_by_hand(graph, genes)
        np.testing.assert_array_equal(sample.mutant_state, expected)
        np.testing.assert_array_equal(sample.delta, expected[expected[:, 3] == 0])
        stored = np.float32(table["score"].to_list()[index] or np.nan)
        np.testing.assert_equal(np.float32(sample.phenotypes["score"]), stored)


def test_same_bytes_twice_and_no_lock_file(tmp_path: Path) -> None:
    graph = random_cell_graph(3)
    table = genotypes(graph, 200)
    stores = [write(graph, table, tmp_path / name, block_bytes=999) for name in "ab"]
    names = sorted(str(path.relative_to(stores[0])) for path in stores[0].rglob("*.*"))
    assert names == ["00000/data.mdb", "manifest.json"]
    for name in names:
        assert sha256_of(stores[0] / name) == sha256_of(stores[1] / name)


def test_indices_take_the_narrowest_type(tmp_path: Path) -> None:
    graph = random_cell_graph(3)
    block = StoreReader(write(graph, genotypes(graph, 5), tmp_path / "store")).block(0)
    assert {column.dtype for column in block.state.values()} == {np.dtype(np.uint8)}


def test_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """The file size limit of a process stands in for a full disk: writes fail in the middle."""
    script = (
        "import sys, signal, resource; from pathlib import Path;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from pipeline.store.stage import *; from tests.pipeline.store.test_stage import *;"
        "from data_specs.errors import exit_with_message;"
        "from data_specs.files import replacing_folder;"
        "graph = random_cell_graph(3); table = genotypes(graph, 20000);\n"
        "samples = select_samples(table, graph, ['AAA1', 'ZZZ1'])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "with exit_with_message(), replacing_folder(Path(sys.argv[1]), []) as folder:\n"
        "    write_shard(samples, graph, StoreConfig(block_bytes=50_000), folder)\n"
    )
    target = tmp_path / "store"
    process = Program("-c", script, str(target))
    _, error = process.communicate()
    assert process.returncode == 1, error
    assert "cannot be written" in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_a_map_that_is_full_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LMDB's map is reserved generously; where that is not enough, it grows, and so each time."""
    graph = random_cell_graph(3)
    table = genotypes(graph, 3000)
    refused = []
    put = store._put

    def counted(*given: Any) -> bool:
        refused.append(not put(*given))
        return not refused[-1]

    monkeypatch.setattr(store, "_put", counted)
    monkeypatch.setattr(store, "_SLACK", 4096)
    stores = [write(graph, table, tmp_path / name, block_bytes=20_000) for name in "ab"]
    assert any(refused)
    assert sha256_of(stores[0] / "00000" / DATA) == sha256_of(stores[1] / "00000" / DATA)
    monkeypatch.undo()
    usual = write(graph, table, tmp_path / "c", block_bytes=20_000)
    for at in (0, 1234, 2999):
        found, expected = (MutantStateDataset(folder, graph)[at] for folder in (stores[0], usual))
        np.testing.assert_array_equal(found.mutant_state, expected.mutant_state)


def test_unfinished_store_does_not_open(tmp_path: Path) -> None:
    import lmdb

    folder = tmp_path / "store"
    (folder / "00000").mkdir(parents=True)
    with (
        lmdb.open(str(folder / "00000"), lock=False) as environment,
        environment.begin(write=True) as txn,
    ):
        txn.put(b"block" + bytes(8), b"something")
    with pytest.raises(ArtefactError, match="never finished"):
        StoreReader(folder)


def test_no_store_at_all(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="folder of a finished build"):
        StoreReader(tmp_path / "store")


def test_damaged_block_is_refused(tmp_path: Path) -> None:
    graph = random_cell_graph(3)
    store = write(graph, genotypes(graph, 300), tmp_path / "store")
    raw = bytearray((store / "00000" / "data.mdb").read_bytes())
    entry = StoreReader(store).meta.blocks[0]
    place = raw.find(bytes(StoreReader(store).check_block(0)[-200:]))
    raw[place] ^= 1
    damaged = tmp_path / "damaged"
    shutil.copytree(store, damaged)
    (damaged / "00000" / "data.mdb").write_bytes(raw)
    with pytest.raises(ArtefactError, match=rf"samples 0 to {entry.samples - 1}\) is damaged"):
        MutantStateDataset(damaged, graph)[0]


def test_truncated_store_is_refused(tmp_path: Path) -> None:
    graph = random_cell_graph(3)
    store = write(graph, genotypes(graph, 300), tmp_path / "store")
    cut = tmp_path / "cut"
    shutil.copytree(store, cut)
    (cut / "00000" / "data.mdb").write_bytes((store / "00000" / "data.mdb").read_bytes()[:-4096])
    with pytest.raises(ArtefactError, match="cut off"):
        StoreReader(cut)


def test_store_of_another_hierarchy(tmp_path: Path) -> None:
    graph, other = random_cell_graph(3), random_cell_graph(4)
    store = write(graph, genotypes(graph, 3), tmp_path / "store")
    with pytest.raises(ArtefactError) as error:
        MutantStateDataset(store, other)
    assert graph.fingerprint[:12] in str(error.value)
    assert other.fingerprint[:12] in str(error.value)


def test_a_part_is_written_again_where_a_killed_worker_had_written_it(
    tiny_build: Path, tmp_path: Path
) -> None:
    """Dask gives the task of a lost worker to another one, whatever the first had finished."""
    (part,) = (tiny_build / "genotypes" / "genotypes.parquet").glob("*.parquet")
    graph, others = tiny_build / "cell_graph", StoreReader(tiny_build / "store").meta.other_genes
    written = []
    for _ in range(2):
        store.encode_part(part, others, resolve({}), graph, tmp_path)
        written.append({p.name: sha256_of(p) for p in tmp_path.rglob("*") if p.is_file()})
    assert written[0] == written[1]
    assert set(written[0]) == {DATA, part.name}


def test_unannotated_genotypes_can_be_dropped(tmp_path: Path) -> None:
    dropping = resolve(tiny_parameters(store={"unannotated": "drop"}))
    layout = build(dropping, tmp_path / "build")
    dataset = MutantStateDataset(layout.store)
    assert dataset.meta.other_genes == ()
    assert len(dataset) == 28  # pairs of the eight annotated genes, of 45


def test_bytes_a_sample(tmp_path: Path) -> None:
    """At most 6 bytes a changed row and 64 for all else, at the size of real hierarchies."""
    graph = random_cell_graph(1, terms=400, genes=500)
    table = genotypes(graph, 3000)
    store = write(graph, table, tmp_path / "store")
    rows = sum(len(MutantStateDataset(store, graph)[i].delta) for i in range(0, 3000, 10)) / 300
    assert (store / "00000" / "data.mdb").stat().st_size / 3000 < 6 * rows + 64 + 10
