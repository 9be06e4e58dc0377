"""Stage `store`: encode the mutant state of every genotype and write blocks of them into LMDB.

Every part of the genotype table becomes a shard, by whichever worker: nothing of one depends on
another, and the manifest that makes them a store is written last.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from data_specs.cell_graph import CellGraph
from data_specs.chain import write_link
from data_specs.errors import InputError
from data_specs.files import replacing_file, replacing_folder, size_of
from data_specs.gene_states import DELETED, WILD_TYPE
from data_specs.layout import DataLayout, write_json
from data_specs.mutant_state import StateEncoder
from data_specs.parameters import Parameters
from data_specs.parameters import Store as StoreConfig
from data_specs.store import (
    ALIGNED_FROM,
    DATA,
    GRADED_VERSION,
    MANIFEST,
    VERSION,
    BlockEntry,
    ShardEntry,
    StoreMeta,
    block_key,
    block_schema,
    frame_digest,
    shard_name,
)
from data_specs.tables import ALLELES, GENOTYPE_KEYS, STATES, part_name, parts_of, write_table
from data_specs.workers import workers
from data_specs.workplaces import shown
from pipeline.hierarchy import unmet
from pipeline.store.samples import Samples, has_states, select_samples, touching_of


def encode_blocks(
    samples: Samples, graph: CellGraph, config: StoreConfig
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield (first sample, record batch) for as many samples at a time as fit `block_bytes`."""
    count = len(samples.offsets) - 1
    genes = graph.num_genes + len(samples.others)
    schema = block_schema(
        graph.num_terms, genes, graph.num_strata, tuple(samples.phenotypes),
        graded=samples.states is not None,
    )  # fmt: skip
    encoder = StateEncoder(graph, genes)
    width = sum(field.type.bit_width // 8 for field in schema.field("state").type.value_type)
    rows = np.full(count, len(graph.annotations))
    if config.layout == "delta":
        rows = encoder.count(samples.offsets, samples.genes)
    ends = np.cumsum(rows * width + np.diff(samples.offsets) * 4 + 4 * len(schema))
    first = 0
    while first < count:
        written = ends[first - 1] if first else 0
        last = int(np.searchsorted(ends, written + config.block_bytes, side="right"))
        last = min(max(last, first + 1), count)
        yield first, _encode(samples, graph, encoder, schema, config, first, last)
        first = last


def _encode(
    samples: Samples,
    graph: CellGraph,
    encoder: StateEncoder,
    schema: pa.Schema,
    config: StoreConfig,
    first: int,
    last: int,
) -> pa.RecordBatch:
    length = last - first
    begin, end = samples.offsets[first], samples.offsets[last]
    starts = samples.offsets[first : last + 1] - begin
    sample, row, deletion = encoder.delta(starts, samples.genes[begin:end])
    state: npt.NDArray[Any] = np.full(len(row), DELETED)
    if samples.states is not None:
        state = samples.states[begin:end][deletion]
    if config.layout == "delta":
        offsets = np.searchsorted(sample, np.arange(length + 1))
    else:
        rows = len(graph.annotations)
        dense = np.full((length, rows), WILD_TYPE, dtype=state.dtype)
        dense[sample, row] = state
        state, row = dense.reshape(-1), np.tile(np.arange(rows), length)
        offsets = np.arange(length + 1) * rows
    columns = [*graph.wild_type[row].T[:3], state]
    struct = schema.field("state").type.value_type
    arrays = [pa.array(column.astype(f.type.to_pandas_dtype())) for column, f in
              zip(columns, struct, strict=True)]  # fmt: skip
    gene_type = schema.field("genes").type
    genes = pa.array(samples.genes[begin:end].astype(gene_type.value_type.to_pandas_dtype()))
    lists = [
        pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), genes, gene_type),
        pa.ListArray.from_arrays(
            pa.array(offsets.astype(np.int32)),
            pa.StructArray.from_arrays(arrays, fields=list(struct)),
            schema.field("state").type,
        ),
    ]
    if samples.states is not None:
        states = pa.array(samples.states[begin:end])
        lists.append(
            pa.ListArray.from_arrays(lists[0].offsets, states, schema.field("states").type)
        )
    phenotypes = [pa.array(values[first:last]) for values in samples.phenotypes.values()]
    return pa.record_batch(lists + phenotypes, schema=schema)


def write_shard(
    samples: Samples, graph: CellGraph, config: StoreConfig, folder: Path
) -> tuple[ShardEntry, list[BlockEntry]]:
    """Write one shard into a new folder; the same input gives the same bytes.

    Returns:
        Its entry of the manifest; samples and shards get their final numbers later.

    Raises:
        InputError: the disk is full.
    """
    folder.mkdir()
    entries: list[BlockEntry] = []
    try:
        with lmdb.open(str(folder), map_size=_SLACK, lock=False, sync=False) as environment:
            size = _SLACK  # LMDB writes the map's size into the file, so it follows from the input
            for first, batch in encode_blocks(samples, graph, config):
                sink = pa.BufferOutputStream()
                with pa.ipc.new_stream(sink, batch.schema) as writer:
                    writer.write_batch(batch)
                raw = sink.getvalue().to_pybytes()
                raw += bytes(max(0, ALIGNED_FROM - len(raw)))
                size += len(raw) + _SLACK
                environment.set_mapsize(size)
                while not _put(environment, block_key(len(entries)), raw):
                    size += len(raw) + _SLACK
                    environment.set_mapsize(size)
                digest = hashlib.sha256(raw).hexdigest()
                entries.append(BlockEntry(0, first, batch.num_rows, 0, len(raw), digest))
            environment.sync(True)
    except lmdb.Error as error:
        raise InputError(
            f"{shown(folder)}: the store cannot be written: "
            f"{str(error).removeprefix(f'{folder}: ')}. This shard needs about "
            f"{_estimate(samples, graph, config) / 1e6:,.0f} MB of free disk; nothing was left "
            "behind."
        ) from None
    file = np.memmap(folder / DATA, mode="r")
    entries = _with_offsets(entries, file, folder)
    return ShardEntry(len(file), frame_digest(file, entries)), entries


def _put(environment: Any, key: bytes, raw: bytes) -> bool:
    """Append a record; False if the map has no room for it."""
    try:
        with environment.begin(write=True) as transaction:
            transaction.put(key, raw, append=True)
    except lmdb.MapFullError:
        return False
    return True


def _with_offsets(
    entries: Sequence[BlockEntry], file: npt.NDArray[np.uint8], folder: Path
) -> list[BlockEntry]:
    """The positions of the records: LMDB returns views of its mapping of the file."""
    with (
        lmdb.open(str(folder), readonly=True, lock=False) as environment,
        environment.begin(buffers=True) as transaction,
    ):
        records: list[Any] = [transaction.get(block_key(block)) for block in range(len(entries))]
        addresses = [np.frombuffer(record, dtype=np.uint8).ctypes.data for record in records]
        # The mapping begins at a page; the first record tells at which.
        within, size, digest = addresses[0] % _PAGE, entries[0].bytes, entries[0].sha256
        start = next(
            page + within
            for page in range(0, len(file), _PAGE)
            if hashlib.sha256(file[page + within :][:size].data).hexdigest() == digest
        )
    return [
        replace(entry, offset=start + address - addresses[0])
        for entry, address in zip(entries, addresses, strict=True)
    ]


def write_manifest(
    shards: Sequence[tuple[ShardEntry, Sequence[BlockEntry]]],
    graph: CellGraph,
    config: StoreConfig,
    others: Sequence[str],
    phenotypes: Sequence[str],
    folder: Path,
    *,
    graded: bool = False,
) -> StoreMeta:
    """Make shards a store: number them and their samples, and write the manifest, last of all."""
    blocks: list[BlockEntry] = []
    samples = 0
    for shard_index, (_, entries) in enumerate(shards):
        blocks += [replace(e, shard=shard_index, first=samples + e.first) for e in entries]
        samples += sum(entry.samples for entry in entries)
    meta = StoreMeta(
        layout=config.layout,
        fingerprint=graph.fingerprint,
        samples=samples,
        rows=len(graph.annotations),
        cell_genes=graph.num_genes,
        other_genes=tuple(others),
        phenotypes=tuple(phenotypes),
        shards=tuple(shard for shard, _ in shards),
        blocks=tuple(blocks),
        version=GRADED_VERSION if graded else VERSION,
    )
    with replacing_file(folder / MANIFEST) as partial:
        partial.write_bytes(meta.to_json())
    return meta


_PAGE = 4096
_SLACK = 2**18  # bytes: LMDB's own pages around a record, generously


def _estimate(samples: Samples, graph: CellGraph, config: StoreConfig) -> float:
    rows = len(samples.offsets) * len(graph.annotations)
    if config.layout == "delta":
        encoder = StateEncoder(graph, graph.num_genes + len(samples.others))
        rows = int(encoder.count(samples.offsets, samples.genes).sum())
    return 6 * rows + 64 * len(samples.offsets)


@dataclass(frozen=True, slots=True)
class Encoded:
    """The result of one part of the genotype table; no shard if no genotype was left.

    `touching` samples change a row of the wild type.
    """

    shard: tuple[ShardEntry, list[BlockEntry]] | None
    dropped: int
    touching: int
    phenotypes: tuple[str, ...]


def encode_part(
    part: Path, others: Sequence[str], parameters: Parameters, cell_graph: Path, folder: Path,
    graded: bool = False,
) -> Encoded:  # fmt: skip
    """Write the shard of one part of the genotype table, and the keys of its samples.

    Both lie in `folder` under the name of the part.
    """
    graph = CellGraph.read(cell_graph)
    genotypes = pl.read_parquet(part, glob=False)
    rows = genotypes.height
    if parameters.store.unannotated == "drop":
        annotated = pl.element().is_in(pl.Series(graph.gene_ids).implode())
        genotypes = genotypes.filter(pl.col("genes").list.eval(annotated).list.all())
    if genotypes.is_empty():
        return Encoded(None, rows, touching_of(pl.read_parquet(part, glob=False), graph), ())
    samples = select_samples(genotypes, graph, others, graded=graded)
    # A worker that was killed may have written it before; its task is done again.
    with replacing_folder(folder / part.stem, (DATA,)) as shard:
        entries = write_shard(samples, graph, parameters.store, shard)
    with replacing_file(folder / part.name) as keys:
        known = (*GENOTYPE_KEYS, ALLELES, *([STATES] if graded else []))
        columns = [name for name in known if name in genotypes.columns]
        write_table(genotypes.select(columns), keys)
    touching = touching_of(genotypes, graph)
    return Encoded(entries, rows - genotypes.height, touching, tuple(samples.phenotypes))


def run(parameters: Parameters, layout: DataLayout) -> None:
    """Encode the merged genotypes against the cell graph; write the store and its ledger.

    Raises:
        InputError: no genotype is left, or none touches a term, or the disk is full.
    """
    graph = CellGraph.read(layout.cell_graph)
    parts = parts_of(layout.genotypes / "genotypes.parquet")
    genes = pl.read_parquet(layout.genotypes / "genes.parquet", glob=False)["gene"]
    dropping = parameters.store.unannotated == "drop"
    unannotated = sorted(set(genes) - set(graph.gene_ids))
    others = [] if dropping else unannotated
    with (
        replacing_folder(layout.store, layout.own("store")) as folder,
        workers(parameters.dask, len(parts)) as each,
    ):
        scratch = folder.absolute() / "scratch"
        scratch.mkdir(parents=True)
        cell_graph = layout.cell_graph.absolute()
        graded = any(each(has_states, [(part,) for part in parts]))
        done = each(
            encode_part, [(p, others, parameters, cell_graph, scratch, graded) for p in parts]
        )
        kept = [(part, result) for part, result in zip(parts, done, strict=True) if result.shard]
        touching = sum(result.touching for result in done)
        if not touching:
            raise unmet(layout, graph.gene_ids)
        if not kept:
            raise InputError(
                "store.unannotated=drop left no genotype: none has only genes of the "
                "hierarchy, though "
                f"{touching:,} have some. Check that annotations and genotypes name genes alike."
            )
        samples = folder / "samples.parquet"
        samples.mkdir()
        for shard_index, (part, _) in enumerate(kept):
            (scratch / part.stem).rename(folder / shard_name(shard_index))
            (scratch / part.name).rename(samples / part_name(shard_index))
        scratch.rmdir()
        shards = [result.shard for _, result in kept if result.shard]
        meta = write_manifest(
            shards, graph, parameters.store, others, kept[0][1].phenotypes, folder, graded=graded
        )
        size = size_of(folder)
        ledger = {
            "layout": meta.layout,
            "samples": meta.samples,
            "dropped": {"unannotated": sum(result.dropped for result in done)} if dropping else {},
            "touching": touching,
            "unannotated_genes": len(unannotated),
            "bytes": size,
            "bytes_per_sample": round(size / meta.samples, 1),
        }
        write_json(folder / "ledger.json", ledger)
        write_link(layout, "store", folder)
