"""The store of mutant states: its files, their manifest, and the mapped blocks of it."""

from data_specs.store.alleles import alleles_of
from data_specs.store.manifest import (
    DATA,
    GRADED_VERSION,
    MANIFEST,
    VERSION,
    BlockEntry,
    ShardEntry,
    StoreMeta,
    block_key,
    shard_name,
)
from data_specs.store.reader import ALIGNED_FROM, STATE_COLUMNS, StoreReader, block_schema
from data_specs.store.shards import PHENOTYPE, Block, frame_digest

__all__ = [
    "ALIGNED_FROM",
    "DATA",
    "GRADED_VERSION",
    "MANIFEST",
    "PHENOTYPE",
    "STATE_COLUMNS",
    "VERSION",
    "Block",
    "BlockEntry",
    "ShardEntry",
    "StoreMeta",
    "StoreReader",
    "alleles_of",
    "block_key",
    "block_schema",
    "frame_digest",
    "shard_name",
]
