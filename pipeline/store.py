"""Stage `store`: encode the mutant state of every genotype and write blocks of them into LMDB."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lmdb
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from data_specs.cell_graph import DELETED, WILD_TYPE, CellGraph, IntArray
from data_specs.errors import InputError
from data_specs.files import replacing, size_of
from data_specs.layout import DataLayout, write_json
from data_specs.mutant_state import StateEncoder
from data_specs.parameters import Parameters
from data_specs.parameters import Store as StoreConfig
from data_specs.store import (
    META,
    META_DIGEST,
    BlockEntry,
    StoreMeta,
    block_key,
    block_schema,
)
from data_specs.tables import GENOTYPE_KEYS, write_table
from pipeline.stage import run_stage


@dataclass(frozen=True, slots=True)
class Samples:
    """The genotypes to encode, in the store's order.

    Attributes:
        offsets: `[N + 1]` int64, where each sample's genes begin in `genes`.
        genes: int64 indices of the deleted genes: below G the cell graph's, above it `others`.
        others: assayed genes that no term of the cell graph is annotated with, sorted.
        phenotypes: `[N]` float32 a phenotype, NaN where not measured; the primary one first.
    """

    offsets: IntArray
    genes: IntArray
    others: tuple[str, ...]
    phenotypes: dict[str, npt.NDArray[np.float32]]


def select_samples(genotypes: pl.DataFrame, graph: CellGraph) -> Samples:
    """Number the genes of the genotypes and pick what the store holds of the phenotypes.

    Args:
        genotypes: `data_specs.tables.GENOTYPE_KEYS` and the phenotypes, means then spreads.
        graph: the cell graph.

    Means of all phenotypes are stored, and of the primary one the spread too, as
    `NAME_spread`, with the number of merged rows as `count`.
    """
    lists = genotypes["genes"]
    flat = lists.explode()
    others = sorted(set(flat.unique()) - set(graph.gene_ids))
    index = {gene: number for number, gene in enumerate([*graph.gene_ids, *others])}
    means = [
        column
        for column in genotypes.columns
        if column not in GENOTYPE_KEYS and not column.endswith("_spread")
    ]
    columns = [*means, f"{means[0]}_spread", "count"]
    return Samples(
        offsets=np.concatenate([[0], np.cumsum(lists.list.len().to_numpy(), dtype=np.int64)]),
        genes=flat.replace_strict(index, return_dtype=pl.Int64).to_numpy(),
        others=tuple(others),
        phenotypes={
            name: genotypes[name].cast(pl.Float32).fill_null(float("nan")).to_numpy()
            for name in columns
        },
    )


def encode_blocks(
    samples: Samples, graph: CellGraph, config: StoreConfig
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield (first sample, record batch) for as many samples at a time as fit `block_bytes`."""
    count = len(samples.offsets) - 1
    genes = graph.num_genes + len(samples.others)
    schema = block_schema(graph.num_terms, genes, graph.num_strata, tuple(samples.phenotypes))
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
    sample, row = encoder.delta(starts, samples.genes[begin:end])
    if config.layout == "delta":
        state = np.full(len(row), DELETED)
        offsets = np.searchsorted(sample, np.arange(length + 1))
    else:
        rows = len(graph.annotations)
        dense = np.full((length, rows), WILD_TYPE)
        dense[sample, row] = DELETED
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
    phenotypes = [pa.array(values[first:last]) for values in samples.phenotypes.values()]
    return pa.record_batch(lists + phenotypes, schema=schema)


def write_store(samples: Samples, graph: CellGraph, config: StoreConfig, folder: Path) -> StoreMeta:
    """Write the store into a new folder; the same input gives the same bytes.

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
                raw = sink.getvalue()
                size += raw.size + _SLACK
                environment.set_mapsize(size)
                with environment.begin(write=True) as transaction:
                    transaction.put(block_key(len(entries)), raw, append=True)
                digest = hashlib.sha256(raw).hexdigest()
                entries.append(BlockEntry(first, batch.num_rows, raw.size, digest))
            meta = StoreMeta(
                layout=config.layout,
                fingerprint=graph.fingerprint,
                samples=len(samples.offsets) - 1,
                rows=len(graph.annotations),
                cell_genes=graph.num_genes,
                other_genes=samples.others,
                phenotypes=tuple(samples.phenotypes),
                blocks=tuple(entries),
            )
            raw_meta = meta.to_json()
            environment.set_mapsize(size + len(raw_meta) + _SLACK)
            with environment.begin(write=True) as transaction:
                transaction.put(META, raw_meta)
                transaction.put(META_DIGEST, hashlib.sha256(raw_meta).hexdigest().encode())
            environment.sync(True)
    except lmdb.Error as error:
        raise InputError(
            f"{folder.name}: the store cannot be written: {error}. It needs about "
            f"{_estimate(samples, graph, config) / 1e6:,.0f} MB of free disk; nothing was left "
            "behind."
        ) from None
    return meta


_SLACK = 2**18  # bytes: LMDB's own pages around a record, generously


def _estimate(samples: Samples, graph: CellGraph, config: StoreConfig) -> float:
    rows = len(samples.offsets) * len(graph.annotations)
    if config.layout == "delta":
        encoder = StateEncoder(graph, graph.num_genes + len(samples.others))
        rows = int(encoder.count(samples.offsets, samples.genes).sum())
    return 6 * rows + 64 * len(samples.offsets)


def run(parameters: Parameters, layout: DataLayout) -> None:
    """Encode the merged genotypes against the cell graph; write the store and its ledger."""
    graph = CellGraph.read(layout.cell_graph)
    genotypes = pl.read_parquet(layout.genotypes / "genotypes.parquet")
    annotated = pl.Series(graph.gene_ids)
    dropped = {}
    if parameters.genotypes.unannotated == "drop":
        known = genotypes.filter(
            pl.col("genes").list.eval(pl.element().is_in(annotated)).list.all()
        )
        dropped["unannotated"] = genotypes.height - known.height
        genotypes = known
    if genotypes.is_empty():
        raise InputError(
            "genotypes.unannotated=drop left no genotype: none has only genes of the hierarchy. "
            "Check that annotations and genotypes name genes alike."
        )
    samples = select_samples(genotypes, graph)
    with replacing(layout.store) as folder:
        meta = write_store(samples, graph, parameters.store, folder)
        size = size_of(folder)
        keys = genotypes.select("genes", "queries", "given", "count")
        write_table(keys, folder / "samples.parquet")
        ledger = {
            "layout": meta.layout,
            "samples": meta.samples,
            "dropped": dropped,
            "unannotated_genes": len(meta.other_genes),
            "bytes": size,
            "bytes_per_sample": round(size / meta.samples, 1),
        }
        write_json(folder / "ledger.json", ledger)


if __name__ == "__main__":
    run_stage(run)
