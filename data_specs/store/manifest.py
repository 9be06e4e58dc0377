"""The manifest of a store: the store, each shard and each block."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from data_specs.errors import ArtefactError

VERSION = 2
GRADED_VERSION = 3  # of a store with states other than 0 and 1, which earlier readers cannot take
MANIFEST = "manifest.json"
DATA = "data.mdb"


def block_key(index: int) -> bytes:
    """Big-endian, so that the keys sort as the numbers do."""
    return b"block" + index.to_bytes(8, "big")


def shard_name(index: int) -> str:
    """Folder of a shard."""
    return f"{index:05d}"


@dataclass(frozen=True, slots=True)
class BlockEntry:
    """A block in the manifest: its samples, and its position in the file.

    Attributes:
        shard: number of the shard.
        first: number of its first sample in the store.
        samples: how many.
        offset: where the record begins in the shard's file, in bytes.
        bytes: size of the record.
        sha256: digest of the record.
    """

    shard: int
    first: int
    samples: int
    offset: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """A shard in the manifest: size of its file, digest of all but the records."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StoreMeta:
    """The description of a store, as its manifest holds it."""

    layout: Literal["delta", "dense"]
    fingerprint: str
    samples: int
    rows: int  # M, rows of a dense state
    cell_genes: int  # G, genes of the cell graph: indices below it
    other_genes: tuple[str, ...]  # assayed genes without annotation: indices from G on
    phenotypes: tuple[str, ...]  # the primary one first
    shards: tuple[ShardEntry, ...]
    blocks: tuple[BlockEntry, ...]  # in the order of the samples, and of the shards
    format: str = "dcell-store"
    version: int = VERSION

    @property
    def graded(self) -> bool:
        """Whether genes have states other than 0: blocks then have a column of them."""
        return self.version == GRADED_VERSION

    def to_json(self) -> bytes:
        """Canonical bytes: sorted keys, no white space, a block a line, the digest last."""
        values = asdict(self)
        blocks = [_canonical(block) for block in values.pop("blocks")]
        body = _canonical(values)[:-1] + b',"blocks":[\n' + b",\n".join(blocks) + b"\n]"
        return _signed(body)

    @classmethod
    def from_json(cls, raw: bytes, where: Path) -> "StoreMeta":
        """Parse a manifest.

        Raises:
            ArtefactError: it is not a store's, is damaged, or of another version.
        """
        try:
            values: dict[str, Any] = json.loads(raw)
            format_, version = values["format"], values["version"]
        except (ValueError, KeyError, TypeError) as error:
            raise ArtefactError(
                f"{where}: not readable as a store's manifest ({type(error).__name__}: {error}). "
                "Build the store again."
            ) from None
        if format_ != "dcell-store" or version not in (VERSION, GRADED_VERSION):
            raise ArtefactError(
                f"{where}: format {format_!r} version {version!r}; expected 'dcell-store' version "
                f"{VERSION} or {GRADED_VERSION}. Build the store again."
            )
        if raw != _signed(raw[: raw.rfind(b',"sha256":"')]):
            raise ArtefactError(f"{where}: the manifest is damaged. Build the store again.")
        try:
            values["blocks"] = tuple(BlockEntry(**block) for block in values["blocks"])
            values["shards"] = tuple(ShardEntry(**shard) for shard in values["shards"])
            for name in ("other_genes", "phenotypes"):
                values[name] = tuple(str(text) for text in values[name])
            meta = cls(**{field.name: values[field.name] for field in fields(cls)})
            possible = meta._is_possible()
        except (KeyError, TypeError, AttributeError):
            possible = False
        if not possible:
            raise ArtefactError(
                f"{where}: no build writes such a manifest, though its checksum is right. Build "
                "the store again."
            )
        return meta

    def _is_possible(self) -> bool:
        """Whether samples, blocks and shards follow each other, inside of their files."""
        numbers = [v for part in (self, *self.shards, *self.blocks) for v in _numbers(part)]
        if not all(type(number) is int and number >= 0 for number in numbers):
            return False
        samples, shards = 0, [0]
        for block in self.blocks:
            if block.first != samples or block.samples == 0 or block.shard >= len(self.shards):
                return False
            if block.offset + block.bytes > self.shards[block.shard].bytes:
                return False
            samples += block.samples
            if block.shard != shards[-1]:
                shards.append(block.shard)
        return samples == self.samples > 0 and shards == list(range(len(self.shards)))


def _numbers(part: Any) -> list[Any]:
    return [getattr(part, field.name) for field in fields(part) if field.type is int]


def _signed(body: bytes) -> bytes:
    return body + b',"sha256":"' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'


def _canonical(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
