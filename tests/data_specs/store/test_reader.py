"""What a store survives: every byte flipped, every length, and being replaced while it is read."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import lmdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_specs.errors import ArtefactError
from data_specs.layout import ENTRIES
from data_specs.store.manifest import DATA, MANIFEST, block_key
from data_specs.store.reader import StoreReader
from dcell_model.data.dataset import MutantStateDataset
from tests.conftest import LONG
from tests.hierarchies import random_cell_graph
from tests.pipeline.store.test_stage import genotypes, write
from tests.replacement import read_while_replaced

GRAPH = random_cell_graph(3)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "store"
    return write(GRAPH, genotypes(GRAPH, 40), folder, shards=2, block_bytes=700)


def check_all(folder: Path) -> None:
    reader = StoreReader(folder)
    for number in range(len(reader.meta.blocks)):
        reader.check_block(number)


def content(folder: Path) -> str:
    """Digest of everything that one reader hands out."""
    dataset = MutantStateDataset(folder, GRAPH)
    batch = dataset.batch(range(len(dataset)))
    digest = hashlib.sha256(dataset.meta.to_json() + batch.term.numpy().tobytes())
    for number in range(len(dataset.meta.blocks)):
        for column in dataset.reader.block(number).columns().values():
            digest.update(column.tobytes())
    return digest.hexdigest()


def damaged(store: Path, folder: Path, name: str, raw: bytes) -> Path:
    shutil.copytree(store, folder, dirs_exist_ok=True)
    (folder / name).write_bytes(raw)
    return folder


@pytest.mark.parametrize("name", [MANIFEST, f"00001/{DATA}"])
def test_every_byte_flipped(store: Path, tmp_path: Path, name: str) -> None:
    """Refused, each one; in a file of LMDB's those between and behind the records, too."""
    whole = (store / name).read_bytes()
    wrong = damaged(store, tmp_path / "store", name, whole)
    with (wrong / name).open("r+b", buffering=0) as file:
        for place, byte in list(enumerate(whole))[:: 1 if LONG else 13]:
            os.pwrite(file.fileno(), bytes([byte ^ 1 << (place % 8)]), place)
            with pytest.raises(ArtefactError):
                check_all(wrong)
            os.pwrite(file.fileno(), bytes([byte]), place)
    check_all(wrong)


@pytest.mark.parametrize("name", [MANIFEST, f"00001/{DATA}"])
def test_every_length(store: Path, tmp_path: Path, name: str) -> None:
    whole = (store / name).read_bytes()
    wrong = damaged(store, tmp_path / "store", name, whole)
    for length in reversed(range(0, len(whole), 1 if LONG else 13)):
        os.truncate(wrong / name, length)
        with pytest.raises(ArtefactError):
            check_all(wrong)


def test_shards_that_are_exchanged(store: Path, tmp_path: Path) -> None:
    raw = (store / "00001" / DATA).read_bytes()
    with pytest.raises(ArtefactError, match=r"00000/data\.mdb"):
        content(damaged(store, tmp_path / "store", f"00000/{DATA}", raw))


def test_a_missing_shard(store: Path, tmp_path: Path) -> None:
    shutil.copytree(store, tmp_path / "store")
    shutil.rmtree(tmp_path / "store" / "00001")
    with pytest.raises(ArtefactError, match=r"00001/data\.mdb: No such file"):
        StoreReader(tmp_path / "store")


def test_blocks_stay_readable_when_their_memory_is_released(store: Path) -> None:
    reader = StoreReader(store)
    blocks = [reader.block(number) for number in range(len(reader.meta.blocks))]
    before = [column.tolist() for block in blocks for column in block.columns().values()]
    for shard in range(len(reader.meta.shards)):
        reader.release(shard)
    after = [column.tolist() for block in blocks for column in block.columns().values()]
    assert str(after) == str(before)  # NaN is NaN


def test_lmdb_finds_the_same_records(store: Path) -> None:
    """Any program that reads LMDB reads a shard."""
    reader = StoreReader(store)
    for number in range(2):
        folder = str(store / f"{number:05d}")
        first = int(reader.first_blocks[number])
        with (
            lmdb.open(folder, readonly=True, lock=False) as environment,
            environment.begin() as transaction,
        ):
            assert environment.stat()["entries"] == (reader.shard_of == number).sum() > 1
            for at in range(environment.stat()["entries"]):
                assert transaction.get(block_key(at)) == bytes(reader.check_block(first + at))


def test_manifest_is_json_with_its_digest_last(store: Path) -> None:
    manifest = json.loads((store / MANIFEST).read_text())
    assert list(manifest)[-1] == "sha256"
    assert manifest["samples"] == 40


def test_eight_readers_while_builds_replace_the_store(store: Path, tmp_path: Path) -> None:
    other = write(GRAPH, genotypes(GRAPH, 30, seed=9), tmp_path / "other", 3, block_bytes=900)
    target, own = tmp_path / "target", ENTRIES["store"]
    read_while_replaced(content, [store, other], target, own, readers=8, turns=30)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "target"]


@settings(max_examples=20)
@given(data=st.data())
def test_columns_of_all_blocks_are_one(store: Path, data: st.DataObject) -> None:
    """Whatever blocks of whatever shards are asked for, in any order, again and again."""
    reader = StoreReader(store)
    entries = reader.meta.blocks
    assert len(reader.meta.shards) > 1
    samples = st.tuples(st.integers(0, len(entries) - 1), st.integers(0, 10**6))
    for _ in range(3):
        asked = data.draw(st.lists(samples, max_size=12))
        blocks = np.array([block for block, _ in asked], dtype=np.int64)
        places = np.array([at % entries[b].samples for b, at in asked], dtype=np.int64)
        columns = reader.columns(blocks)
        assert len(columns.unknown(blocks)) == 0
        for name in ("gene_offsets", "state_offsets", "phenotype:score"):
            found = columns.take(name, places, blocks)
            expected = [
                reader.block(b).columns()[name][at] for b, at in zip(blocks, places, strict=True)
            ]
            np.testing.assert_array_equal(found, expected)


def test_no_column_can_be_written_to(store: Path) -> None:
    reader = StoreReader(store)
    reader.columns(np.arange(len(reader.meta.blocks)))
    for flat in reader._columns._flat.values():
        with pytest.raises(ValueError, match="read-only"):
            flat[:1] = 0
