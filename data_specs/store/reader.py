"""The store of mutant states: which files it has, what they hold, and the mapped blocks of it.

A store is a folder of shards and one manifest:

- `00000/data.mdb`, `00001/data.mdb`, …: LMDB environments without lock files. Under the key
  `block` + 8 bytes big-endian number lies an Arrow IPC stream with one record batch of many samples
- `manifest.json`: written last, so that a store without it was never finished; it names format,
  version, layout, fingerprint of the cell graph, phenotypes, gene ids beyond the cell graph's, for
  every block its samples, place in the file, and SHA-256, for every shard the SHA-256 of what is
  around the blocks; it ends with its own

LMDB's own pages have no checksums, and a damaged one can crash the process that follows it. A
reader therefore maps the file itself and goes by the manifest; any other program may use LMDB.

Columns of a block: `genes` (list of gene indices: the deleted ones), `state` (list of
(term, gene, stratum, state): the rows that differ from the wild type with `layout: delta`, all M
rows with `layout: dense`), and `phenotype:NAME` (float32, NaN where not measured). Indices take
the narrowest unsigned type that fits.
"""

import hashlib
import io
import mmap
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data_specs.errors import ArtefactError
from data_specs.store.manifest import (
    DATA,
    MANIFEST,
    VERSION,
    BlockEntry,
    ShardEntry,
    StoreMeta,
    shard_name,
)

PHENOTYPE = "phenotype:"
# LMDB gives records of this size pages of their own, where they begin at a multiple of 16 bytes;
# smaller ones stand anywhere between others. Blocks are padded to it: arrays are aligned in place.
ALIGNED_FROM = 2048
STATE_COLUMNS = ("term", "gene", "stratum", "state")


def index_type(count: int) -> pa.DataType:
    """The narrowest unsigned type that holds the indices below `count`."""
    return pa.uint8() if count <= 2**8 else pa.uint16() if count <= 2**16 else pa.uint32()


def block_schema(terms: int, genes: int, strata: int, phenotypes: tuple[str, ...]) -> pa.Schema:
    """The columns of a block for a cell graph and a gene table of these sizes."""
    types = (index_type(terms), index_type(genes), index_type(strata), pa.uint8())
    row = pa.struct(
        [pa.field(n, t, nullable=False) for n, t in zip(STATE_COLUMNS, types, strict=True)]
    )
    columns = [
        pa.field("genes", pa.list_(pa.field("gene", types[1], nullable=False)), nullable=False),
        pa.field("state", pa.list_(pa.field("row", row, nullable=False)), nullable=False),
    ]
    columns += [pa.field(PHENOTYPE + p, pa.float32(), nullable=False) for p in phenotypes]
    return pa.schema(columns)


@dataclass(frozen=True, slots=True)
class Block:
    """Arrays of one block, mapped and read-only; ragged ones as offsets `[n + 1]` and values."""

    first: int
    gene_offsets: npt.NDArray[np.int32]
    genes: npt.NDArray[Any]
    state_offsets: npt.NDArray[np.int32]
    state: dict[str, npt.NDArray[Any]]  # by STATE_COLUMNS
    phenotypes: dict[str, npt.NDArray[np.float32]]

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """All arrays by name; phenotypes as `phenotype:NAME`."""
        return {
            "gene_offsets": self.gene_offsets,
            "genes": self.genes,
            "state_offsets": self.state_offsets,
            **self.state,
            **{PHENOTYPE + name: values for name, values in self.phenotypes.items()},
        }


class Shard:
    """A mapped shard, and the columns of all its blocks as one, for gathering from many at once.

    An element of any block is an element of one flat view on the whole file: `flat` has that view
    by column, `places` by column and block where its elements begin.

    Args:
        file: LMDB's data file.
        entry: its description in the manifest.
        blocks: the descriptions of its blocks.

    Raises:
        ArtefactError: the file is missing, or is not the one that the manifest describes.
    """

    def __init__(self, file: Path, entry: ShardEntry, blocks: Sequence[BlockEntry]) -> None:
        try:
            with file.open("rb") as stream:
                size = stream.seek(0, io.SEEK_END)
                if size != entry.bytes:
                    raise ArtefactError(
                        f"{file}: the file is cut off or another one ({size} bytes; expected "
                        f"{entry.bytes}). Build the store again."
                    )
                self._mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise ArtefactError(f"{file}: {error.strerror}. Build the store again.") from None
        self.bytes = np.frombuffer(self._mapped, dtype=np.uint8)
        if frame_digest(self.bytes, blocks) != entry.sha256:
            raise ArtefactError(
                f"{file}: the part outside the blocks is damaged: its checksum does not match. "
                "Build the store again."
            )
        self.file, self.blocks = file, blocks
        self.known = np.zeros(len(blocks), dtype=bool)
        self.flat: dict[str, npt.NDArray[Any]] = {}
        self.places: dict[str, npt.NDArray[np.int64]] = {}

    def record(self, index: int) -> memoryview:
        """The bytes of one block, refused unless their digest is the one in the manifest."""
        entry = self.blocks[index]
        raw = memoryview(self._mapped)[entry.offset : entry.offset + entry.bytes]
        if hashlib.sha256(raw).hexdigest() != entry.sha256:
            raise ArtefactError(
                f"{self.file}: block {index} (samples {entry.first} to "
                f"{entry.first + entry.samples - 1}) is damaged: its checksum does not match. "
                "Build the store again."
            )
        return raw

    def release(self) -> None:
        """Release the memory of blocks that were read; they are read again when they are used."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._mapped.madvise(mmap.MADV_DONTNEED)

    def add(self, index: int, block: Block) -> None:
        """Note where the arrays of a block lie, once its digest has been checked.

        Raises:
            ArtefactError: an array is not aligned to its elements.
        """
        for name, column in block.columns().items():
            if name not in self.flat:
                usable = len(self.bytes) // column.itemsize * column.itemsize
                self.flat[name] = self.bytes[:usable].view(column.dtype)
                self.places[name] = np.zeros(len(self.known), dtype=np.int64)
            offset = column.ctypes.data - self.bytes.ctypes.data
            if offset % column.itemsize:
                raise ArtefactError(
                    f"{self.file}: block {index}: '{name}' is not aligned. Build it again."
                )
            self.places[name][index] = offset // column.itemsize
        self.known[index] = True


def frame_digest(file: npt.NDArray[np.uint8], blocks: Sequence[BlockEntry]) -> str:
    """SHA-256 of all bytes of a shard's file `[n]` that are in no record."""
    digest = hashlib.sha256()
    before = 0
    for entry in blocks:
        digest.update(file[before : entry.offset].data)
        before = entry.offset + entry.bytes
    digest.update(file[before:].data)
    return digest.hexdigest()


class StoreReader:
    """Reads a store in place: mapped anew in each process, never pickled open.

    While a build replaces the store, a reader gets the old one or the new one, whole.

    Args:
        folder: the folder that the stage `store` wrote.

    Raises:
        ArtefactError: the folder holds no finished store, or one that is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._blocks: dict[int, Block] = {}
        before: tuple[bytes, str] | None = None
        for attempt in range(_ATTEMPTS):
            raw = b""
            try:
                raw = self._manifest()
                self.meta = StoreMeta.from_json(raw, self.folder / MANIFEST)
                self._shards = self._map_all()
                if self._manifest() == raw:
                    break
            except ArtefactError as error:
                # A block that fails twice alike is damaged; otherwise it is being replaced.
                if (raw, str(error)) == before or attempt == _ATTEMPTS - 1:
                    raise
                before = (raw, str(error))
                time.sleep(0 if self._has(raw) else 0.01)
        self._ready()

    def _manifest(self) -> bytes:
        manifest = self.folder / MANIFEST
        try:
            return manifest.read_bytes()
        except FileNotFoundError:
            if (self.folder / DATA).is_file():
                raise ArtefactError(
                    f"{self.folder}: store version 1, of one file and no manifest; expected "
                    f"version {VERSION}. Build the data again (dcell-data build --overwrite)."
                ) from None
            raise ArtefactError(
                f"{manifest}: no such file; the store was never finished, or '{self.folder.parent}'"
                " is not the folder of a finished build. Build it again."
            ) from None
        except OSError as error:
            raise ArtefactError(f"{manifest}: cannot be read: {error.strerror}") from None

    def _has(self, manifest: bytes) -> bool:
        try:
            return self._manifest() == manifest
        except ArtefactError:
            return False

    def _map_all(self) -> list[Shard]:
        shards = []
        for shard, entry in enumerate(self.meta.shards):
            blocks = [block for block in self.meta.blocks if block.shard == shard]
            shards.append(Shard(self.folder / shard_name(shard) / DATA, entry, blocks))
        return shards

    def _ready(self) -> None:
        #: First sample of every block, the shard of every block, the first block of every shard.
        self.firsts = np.array([block.first for block in self.meta.blocks])
        self.shard_of = np.array([block.shard for block in self.meta.blocks])
        self.first_blocks = np.searchsorted(self.shard_of, np.arange(len(self.meta.shards)))

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "meta": self.meta}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.folder, self.meta = state["folder"], state["meta"]
        self._blocks = {}
        self._shards = self._map_all()
        self._ready()

    def block(self, index: int) -> Block:
        """Map one block; its digest is checked when a reader first touches it.

        Raises:
            ArtefactError: the block is damaged.
        """
        if index not in self._blocks:
            self._blocks[index] = self._map(index)
        return self._blocks[index]

    def _map(self, index: int) -> Block:
        raw, entry = self.check_block(index), self.meta.blocks[index]
        try:
            with pa.ipc.open_stream(pa.py_buffer(raw)) as stream:
                batch = stream.read_next_batch()
            batch.validate(full=True)  # checksums find damage, not malice
            if batch.num_rows != entry.samples:
                raise ValueError(f"{batch.num_rows} samples; expected {entry.samples}")
            state, genes = batch.column("state"), batch.column("genes")
            return Block(
                first=entry.first,
                gene_offsets=genes.offsets.to_numpy(),
                genes=genes.values.to_numpy(),
                state_offsets=state.offsets.to_numpy(),
                state={name: state.values.field(name).to_numpy() for name in STATE_COLUMNS},
                phenotypes={
                    p: batch.column(PHENOTYPE + p).to_numpy() for p in self.meta.phenotypes
                },
            )
        except (
            OSError,
            ValueError,
            KeyError,
            AttributeError,
            StopIteration,
            pa.ArrowException,
        ) as e:
            raise ArtefactError(
                f"{self.folder / shard_name(entry.shard)}: block {index} is no block of a store "
                f"({e}), though its checksum is right. Build the store again."
            ) from None

    def check_block(self, index: int) -> memoryview:
        """The bytes of one block, refused unless their digest is the one in the manifest."""
        shard = self.meta.blocks[index].shard
        return self._shards[shard].record(index - int(self.first_blocks[shard]))

    def release(self, index: int) -> None:
        """Let go of the memory of a shard, for who goes through all of a big store once."""
        self._shards[index].release()

    def shard(self, index: int, blocks: Iterable[int]) -> Shard:
        """A shard with the columns of these of its blocks ready to be gathered from.

        Args:
            index: of the shard.
            blocks: numbers of blocks, counted in the shard.

        Raises:
            ArtefactError: a block is damaged.
        """
        shard = self._shards[index]
        for block in blocks:
            if not shard.known[block]:
                shard.add(block, self.block(int(self.first_blocks[index]) + block))
        return shard


_ATTEMPTS = 10
