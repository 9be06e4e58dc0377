"""The mapped shards of a store and the arrays of their blocks, one by one and all as one."""

import ctypes
import hashlib
import io
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_specs.errors import ArtefactError
from data_specs.store.manifest import BlockEntry, ShardEntry

PHENOTYPE = "phenotype:"


@dataclass(frozen=True, slots=True)
class Block:
    """Arrays of one block, mapped and read-only; ragged ones as offsets `[n + 1]` and values."""

    first: int
    gene_offsets: npt.NDArray[np.int32]
    genes: npt.NDArray[Any]
    state_offsets: npt.NDArray[np.int32]
    state: dict[str, npt.NDArray[Any]]  # by STATE_COLUMNS
    phenotypes: dict[str, npt.NDArray[np.float32]]
    states: npt.NDArray[np.float32] | None = None  # of the genes; none: all are 0

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """All arrays by name; phenotypes as `phenotype:NAME`."""
        return {
            "gene_offsets": self.gene_offsets,
            "genes": self.genes,
            "state_offsets": self.state_offsets,
            **self.state,
            **({} if self.states is None else {"states": self.states}),
            **{PHENOTYPE + name: values for name, values in self.phenotypes.items()},
        }


class Shard:
    """A mapped shard.

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


class Columns:
    """The columns of all blocks of a store as one, for gathering from many blocks at once.

    A store of millions of samples has many shards, and a random batch needs some of each. So an
    element of any block is an element of one flat view, which reaches from the first mapped shard
    in memory to the last. Between shards lies what is not the store's: `places` names elements of
    blocks alone.

    Args:
        shards: all of the store; they stay mapped as long as this is used.
        blocks: their number.
    """

    def __init__(self, shards: Sequence[Shard], blocks: int) -> None:
        self._shards = shards
        begins = [shard.bytes.ctypes.data for shard in shards]
        self._begin = min(begins, default=0)  # pages: a multiple of every element's size
        ends = (at + len(shard.bytes) for at, shard in zip(begins, shards, strict=True))
        self._size = max(ends, default=0) - self._begin
        self._known = np.zeros(blocks, dtype=np.bool_)
        self._flat: dict[str, npt.NDArray[Any]] = {}
        self._places: dict[str, npt.NDArray[np.int64]] = {}

    def unknown(self, blocks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Those of some blocks that were not added yet."""
        return np.unique(blocks[~self._known[blocks]])

    def add(self, index: int, block: Block, where: Path) -> None:
        """Note where the arrays of a block lie, once its digest has been checked.

        Raises:
            ArtefactError: an array is not aligned to its elements, or of another type than before.
        """
        for name, column in block.columns().items():
            if name not in self._flat:
                length = self._size // column.itemsize
                memory = (ctypes.c_uint8 * self._size).from_address(self._begin)
                flat = np.ndarray(length, column.dtype, buffer=memoryview(memory))
                flat.flags.writeable = False
                self._flat[name] = flat
                self._places[name] = np.zeros(len(self._known), dtype=np.int64)
            offset = column.ctypes.data - self._begin
            if offset % column.itemsize or column.dtype != self._flat[name].dtype:
                raise ArtefactError(
                    f"{where}: block {index}: '{name}' is not aligned, or not of the type that it "
                    "has in other blocks. Build the store again."
                )
            self._places[name][index] = offset // column.itemsize
        self._known[index] = True

    def take(
        self, name: str, entries: npt.NDArray[np.int64], blocks: npt.NDArray[np.int64]
    ) -> npt.NDArray[Any]:
        """`[n]` elements of a column, counted in the block of each, which was added before."""
        if not len(entries):  # perhaps no block was added yet
            return np.empty(0, dtype=np.int64)
        taken: npt.NDArray[Any] = self._flat[name][self._places[name][blocks] + entries]
        return taken


def frame_digest(file: npt.NDArray[np.uint8], blocks: Sequence[BlockEntry]) -> str:
    """SHA-256 of all bytes of a shard's file `[n]` that are in no record."""
    digest = hashlib.sha256()
    before = 0
    for entry in blocks:
        digest.update(file[before : entry.offset].data)
        before = entry.offset + entry.bytes
    digest.update(file[before:].data)
    return digest.hexdigest()
