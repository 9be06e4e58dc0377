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

A store in which some gene has a state other than 0 has version 3: states are float32, and the
column `states` (list of them) has one for each of the `genes`.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data_specs.errors import ArtefactError
from data_specs.store.manifest import DATA, MANIFEST, VERSION, StoreMeta, shard_name
from data_specs.store.shards import PHENOTYPE, Block, Columns, Shard
from data_specs.workplaces import is_workplace

# LMDB gives records of this size pages of their own, where they begin at a multiple of 16 bytes;
# smaller ones stand anywhere between others. Blocks are padded to it: arrays are aligned in place.
ALIGNED_FROM = 2048
STATE_COLUMNS = ("term", "gene", "stratum", "state")


def index_type(count: int) -> pa.DataType:
    """The narrowest unsigned type that holds the indices below `count`."""
    return pa.uint8() if count <= 2**8 else pa.uint16() if count <= 2**16 else pa.uint32()


def block_schema(
    terms: int, genes: int, strata: int, phenotypes: tuple[str, ...], *, graded: bool = False
) -> pa.Schema:
    """The columns of a block for a cell graph and a gene table of these sizes.

    Graded ones have states other than 0 and 1.
    """
    states = pa.float32() if graded else pa.uint8()
    types = (index_type(terms), index_type(genes), index_type(strata), states)
    row = pa.struct(
        [pa.field(n, t, nullable=False) for n, t in zip(STATE_COLUMNS, types, strict=True)]
    )
    columns = [
        pa.field("genes", pa.list_(pa.field("gene", types[1], nullable=False)), nullable=False),
        pa.field("state", pa.list_(pa.field("row", row, nullable=False)), nullable=False),
    ]
    if graded:
        state = pa.field("state", states, nullable=False)
        columns.append(pa.field("states", pa.list_(state), nullable=False))
    columns += [pa.field(PHENOTYPE + p, pa.float32(), nullable=False) for p in phenotypes]
    return pa.schema(columns)


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
        end = time.monotonic() + _PATIENCE
        while True:
            raw = b""
            try:
                raw = self._manifest()
                self.meta = StoreMeta.from_json(raw, self.folder / MANIFEST)
                self._shards = self._map_all()
                if self._manifest() == raw:
                    break
            except ArtefactError as error:
                # What fails twice alike is damaged, unless it is being replaced at the moment.
                alike = (raw, str(error)) == before and (raw or not self._is_being_replaced())
                if alike or time.monotonic() > end:
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

    def _is_being_replaced(self) -> bool:
        beside = self.folder.parent
        names = [path.name for path in beside.iterdir()] if beside.is_dir() else []
        return any(
            is_workplace(name) and name.startswith(f".{self.folder.name}.") for name in names
        )

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
        self._columns = Columns(self._shards, len(self.meta.blocks))

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
            states = batch.column("states") if self.meta.graded else None
            if states is not None and not states.offsets.equals(genes.offsets):
                raise ValueError("a sample has more or fewer states than genes")
            return Block(
                first=entry.first,
                gene_offsets=genes.offsets.to_numpy(),
                genes=genes.values.to_numpy(),
                state_offsets=state.offsets.to_numpy(),
                state={name: state.values.field(name).to_numpy() for name in STATE_COLUMNS},
                phenotypes={
                    p: batch.column(PHENOTYPE + p).to_numpy() for p in self.meta.phenotypes
                },
                states=None if states is None else states.values.to_numpy(),
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

    def columns(self, blocks: npt.NDArray[np.int64]) -> Columns:
        """The columns of all blocks, with these, repeats allowed, ready to be gathered from.

        Raises:
            ArtefactError: a block is damaged.
        """
        for block in self._columns.unknown(blocks).tolist():
            shard = self._shards[self.meta.blocks[block].shard]
            self._columns.add(block, self.block(block), shard.file)
        return self._columns


_PATIENCE = 2.0  # seconds to wait for a build that replaces a store
