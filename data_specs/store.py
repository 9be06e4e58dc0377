"""The store of mutant states: what LMDB holds under which key, and the mapped blocks of it.

Keys of the store (an LMDB environment without a lock file):

- `block` + 8 bytes big-endian number: an Arrow IPC stream with one record batch of many samples
- `meta`: JSON, written last, so that a store without it was never finished; it names format,
  version, layout, fingerprint of the cell graph, phenotypes, gene ids beyond the cell graph's, and
  for every block its samples, bytes and SHA-256
- `meta.sha256`: the digest of `meta`

Columns of a block: `genes` (list of gene indices: the deleted ones), `state` (list of
(term, gene, stratum, state): the rows that differ from the wild type with `layout: delta`, all M
rows with `layout: dense`), and `phenotype:NAME` (float32, NaN where not measured). Indices take
the narrowest unsigned type that fits.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import lmdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data_specs.errors import ArtefactError

VERSION = 1
META, META_DIGEST = b"meta", b"meta.sha256"
PHENOTYPE = "phenotype:"
STATE_COLUMNS = ("term", "gene", "stratum", "state")


def block_key(number: int) -> bytes:
    """Big-endian, so that the keys sort as the numbers do."""
    return b"block" + number.to_bytes(8, "big")


@dataclass(frozen=True, slots=True)
class BlockEntry:
    """What `meta` says of one block: its first sample, its length, its size and its digest."""

    first: int
    samples: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StoreMeta:
    """The description of a store, as its `meta` record holds it."""

    layout: Literal["delta", "dense"]
    fingerprint: str
    samples: int
    rows: int  # M, rows of a dense state
    cell_genes: int  # G, genes of the cell graph: indices below it
    other_genes: tuple[str, ...]  # assayed genes without annotation: indices from G on
    phenotypes: tuple[str, ...]  # the primary one first
    blocks: tuple[BlockEntry, ...]
    format: str = "dcell-store"
    version: int = VERSION

    def to_json(self) -> bytes:
        """Canonical bytes: sorted keys, no white space."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, raw: bytes, where: Path) -> "StoreMeta":
        """Parse a `meta` record.

        Raises:
            ArtefactError: it is not a store's, or of another version.
        """
        try:
            values: dict[str, Any] = json.loads(raw)
        except ValueError as error:
            raise ArtefactError(f"{where}: meta record is not JSON ({error})") from None
        if values.get("format") != "dcell-store" or values.get("version") != VERSION:
            raise ArtefactError(
                f"{where}: format {values.get('format')!r} version {values.get('version')!r}; "
                f"expected 'dcell-store' version {VERSION}. Build the store again."
            )
        values["blocks"] = tuple(BlockEntry(**block) for block in values["blocks"])
        for name in ("other_genes", "phenotypes"):
            values[name] = tuple(values[name])
        return cls(**{field.name: values[field.name] for field in fields(cls)})


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


class StoreReader:
    """Reads a store in place: opened lazily in each process, never pickled open.

    Args:
        folder: the LMDB environment that the stage `store` wrote.

    Raises:
        ArtefactError: the folder holds no finished store, or one that is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._blocks: dict[int, Block] = {}
        raw = self._get(META)
        if hashlib.sha256(raw).hexdigest().encode() != bytes(self._get(META_DIGEST)):
            raise ArtefactError(
                f"{self.folder}: the meta record is damaged. Build the store again."
            )
        self.meta = StoreMeta.from_json(bytes(raw), self.folder)

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "meta": self.meta, "_blocks": {}}

    def block(self, number: int) -> Block:
        """Map one block; its digest is checked when a process first touches it.

        Raises:
            ArtefactError: the block is missing or damaged.
        """
        if number not in self._blocks:
            self._blocks[number] = self._map(number)
        return self._blocks[number]

    def _map(self, number: int) -> Block:
        with pa.ipc.open_stream(pa.py_buffer(self.check_block(number))) as stream:
            batch = stream.read_next_batch()
        state, genes = batch.column("state"), batch.column("genes")
        return Block(
            first=self.meta.blocks[number].first,
            gene_offsets=genes.offsets.to_numpy(),
            genes=genes.values.to_numpy(),
            state_offsets=state.offsets.to_numpy(),
            state={name: state.values.field(name).to_numpy() for name in STATE_COLUMNS},
            phenotypes={p: batch.column(PHENOTYPE + p).to_numpy() for p in self.meta.phenotypes},
        )

    def check_block(self, number: int) -> memoryview:
        """The bytes of one block, refused unless their digest is the one that `meta` names."""
        entry = self.meta.blocks[number]
        raw = self._get(block_key(number))
        if len(raw) != entry.bytes or hashlib.sha256(raw).hexdigest() != entry.sha256:
            raise ArtefactError(
                f"{self.folder}: block {number} (samples {entry.first} to "
                f"{entry.first + entry.samples - 1}) is damaged: its checksum does not match. "
                "Build the store again."
            )
        return raw

    def _get(self, key: bytes) -> memoryview:
        try:
            value = _transaction(self.folder).get(key)
        except lmdb.Error as error:
            raise ArtefactError(
                f"{self.folder}: not readable as a store ({error}). Build it again."
            ) from None
        if value is None:
            raise ArtefactError(
                f"{self.folder}: no record '{key!r}'; the store was never finished. Build it again."
            )
        return memoryview(value)


# One mapping of a store in a process, whoever reads it: LMDB allows no second one. It stays until
# the process ends, since views into it may live that long. A forked child goes on with the
# inherited mapping, which is safe for a reader without locks.
_open: dict[tuple[int, int], lmdb.Transaction] = {}


def _transaction(folder: Path) -> lmdb.Transaction:
    file = folder / "data.mdb"
    try:
        status = file.stat()
    except OSError as error:
        raise ArtefactError(
            f"{file}: {error.strerror}. Is '{folder.parent}' the folder of a finished build?"
        ) from None
    key = (status.st_dev, status.st_ino)
    if key not in _open:
        environment = lmdb.open(str(folder), readonly=True, lock=False, create=False)
        information, statistics = environment.info(), environment.stat()
        if (information["last_pgno"] + 1) * statistics["psize"] > status.st_size:
            environment.close()
            raise ArtefactError(f"{file}: the file is cut off. Build the store again.")
        _open[key] = environment.begin(buffers=True)
    return _open[key]
