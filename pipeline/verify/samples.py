"""The promises of the store, its samples and their split."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from data_specs.cell_graph import CellGraph
from data_specs.gene_states import DELETED
from data_specs.layout import DataLayout, read_json
from data_specs.ledger_words import counted
from data_specs.store import STATE_COLUMNS, BlockEntry, StoreReader
from data_specs.tables import ALLELES, PARTS, STATES, joined_states, parts_of
from pipeline.verify.promises import require


def check_blocks(reader: StoreReader) -> str:
    """Blocks follow each other without gaps, and each can be read."""
    expected = 0
    for block_index, entry in enumerate(reader.meta.blocks):
        require(entry.first == expected, f"block {block_index} starts at sample {entry.first}")
        reader.check_block(block_index)
        reader.release(entry.shard)
        expected += entry.samples
    require(expected == reader.meta.samples, f"blocks hold {expected} samples")
    extra = sorted(p.name for p in reader.folder.iterdir() if "lock" in p.name)
    require(not extra, f"lock file in the store: {extra}")
    return f"{len(reader.meta.blocks)} blocks, all checksums match"


def check_states(graph: CellGraph, reader: StoreReader, layout: DataLayout) -> str:
    """Every stored row again, by joining every sample's genes with the annotations."""
    names = pl.DataFrame({"gene": [*graph.gene_ids, *reader.meta.other_genes]})
    names = names.with_row_index("number")
    annotations = pl.DataFrame(
        {
            "number": graph.annotations[:, 1].astype(np.uint32),
            "row": np.arange(len(graph.annotations)),
        }
    )
    wild_type, rows = graph.wild_type.T.astype(np.uint32, order="C"), len(graph.annotations)
    total = 0
    for block_index, entry, lists in _blocks(reader, layout):
        block = reader.block(block_index)
        where = f"samples {entry.first} to {entry.first + entry.samples - 1}"
        genes = lists.with_row_index("sample").explode("gene", *lists.columns[1:])
        genes = genes.join(names, on="gene", how="left", maintain_order="left").drop("gene")
        ends = np.cumsum(np.bincount(genes["sample"].to_numpy(), minlength=entry.samples))
        same = np.array_equal(block.gene_offsets[1:], ends) and np.array_equal(
            block.genes, genes["number"].to_numpy()
        )
        require(same, f"{where}: genes differ from samples.parquet")
        states = None
        if block.states is not None:
            states = genes[STATES].to_numpy()
            same = np.array_equal(block.states, states)
            require(same, f"{where}: states of genes differ from samples.parquet")
        changed = genes.with_row_index("deletion")
        changed = changed.join(annotations, on="number", maintain_order="left_right")
        # Places in a dense state of the block. The rows of a gene ascend already.
        places = changed["sample"].to_numpy().astype(np.int64) * rows + changed["row"].to_numpy()
        order = np.argsort(places, kind="stable")
        places = places[order]
        state = DELETED if states is None else states[changed["deletion"].to_numpy()[order]]
        if reader.meta.layout == "dense":
            expected = [np.tile(column, entry.samples) for column in wild_type]
            expected[3] = expected[3].astype(np.float32)
            expected[3][places] = state
            lengths = np.full(entry.samples, rows)
        else:
            sample, row = np.divmod(places, rows)
            expected = [column[row] for column in wild_type]
            expected[3] = np.full(len(row), state, dtype=np.float32)
            lengths = np.bincount(sample, minlength=entry.samples)
        same = np.array_equal(block.state_offsets[1:], np.cumsum(lengths)) and all(
            np.array_equal(block.state[name], column)
            for name, column in zip(STATE_COLUMNS, expected, strict=True)
        )
        require(same, f"{where}: state rows differ")
        total += len(places)
    return f"{total:,} changed rows, {total / max(1, reader.meta.samples):.1f} a sample"


def _blocks(
    reader: StoreReader, layout: DataLayout
) -> Iterator[tuple[int, BlockEntry, pl.DataFrame]]:
    """The blocks by number, each with the lists of its samples: `gene`, and `states` if graded."""
    columns = ["genes", *([STATES] if reader.meta.graded else [])]
    for shard, (first, samples) in enumerate(_samples(reader, layout, *columns)):
        lists = samples.rename({"genes": "gene"})
        for block_index, entry in enumerate(reader.meta.blocks):
            if entry.shard == shard:
                yield block_index, entry, lists.slice(entry.first - first, entry.samples)
        reader.release(shard)


def _samples(
    reader: StoreReader, layout: DataLayout, *columns: str
) -> Iterator[tuple[int, pl.DataFrame]]:
    """The keys of the samples of each shard, and the number of its first sample."""
    parts = parts_of(layout.store / "samples.parquet")
    shards = len(reader.meta.shards)
    require(len(parts) == shards, f"samples.parquet has {len(parts)} parts for {shards} shards")
    first = 0
    for shard, part in enumerate(parts):
        samples = pl.read_parquet(part, columns=list(columns), glob=False)
        expected = sum(entry.samples for entry in reader.meta.blocks if entry.shard == shard)
        require(
            samples.height == expected,
            f"samples.parquet/{part.name}: {samples.height} samples; the shard has {expected}",
        )
        yield first, samples
        first += expected


def check_split(reader: StoreReader, layout: DataLayout) -> str:
    """Every sample in one part, and the parts as disjoint as the method says."""
    split = pl.scan_parquet(layout.split / "split.parquet", glob=False)
    method = read_json(layout.split / "ledger.json")["method"]
    rows = split.select(pl.len()).collect().item()
    require(rows == reader.meta.samples, f"samples are not each once: {rows} rows")
    column = {"query": "queries", "gene": "genes"}.get(method)
    columns = ["given", column] if column else ["given"]
    counts = dict.fromkeys(PARTS, 0)
    values: dict[str, set[str]] = {"train": set(), "test": set()}
    any_given = False
    for first, samples in _samples(reader, layout, *columns):
        table = split.slice(first, samples.height).collect().hstack(samples)
        numbers = pl.int_range(first, first + samples.height, eager=True)
        require(table["sample"].equals(numbers), "samples are not each once")
        found = dict(table["part"].value_counts().iter_rows())
        unknown = set(found) - set(PARTS)
        require(not unknown, f"unknown parts {sorted(unknown, key=str)}")
        counts = {part: counts[part] + found.get(part, 0) for part in PARTS}
        given = table.filter(given="test")
        any_given |= not given.is_empty()
        require(
            bool((given["part"] == "test").all()), "a given test sample is not in the test part"
        )
        if column:
            for part, present in values.items():
                present |= set(table.filter(part=part)[column].explode(empty_as_null=True).unique())
    shared = (values["train"] & values["test"]) - {None}
    require(any_given or not shared, f"train and test share {len(shared)} {column}")
    return f"{method}: {counted(counts)}"


def check_alleles(reader: StoreReader, layout: DataLayout) -> str:
    """Gene sets with their alleles are each once, and in one part unless they may be apart."""
    parts = pl.read_parquet(layout.split / "split.parquet", glob=False)["part"]
    apart = ALLELES in read_json(layout.split / "ledger.json")
    sets = several = 0
    states = [STATES] * reader.meta.graded
    for first, samples in _samples(reader, layout, "genes", ALLELES, *states):
        known = pl.col("genes").list.join("|")
        if reader.meta.graded:  # a model knows genes with their states
            known = known + "\t" + joined_states("|")
        alleles = pl.col(ALLELES).list.join("|")
        table = samples.select(known, alleles, sizes=pl.col("genes").list.len())
        table = table.with_columns(part=parts.slice(first, samples.height))
        require(table.select("genes", ALLELES).is_unique().all(), "a genotype is there twice")
        named = samples[ALLELES].list.len()
        fits = ((named == table["sizes"]) | (named == 0)).all()
        require(fits, "a genotype has more or fewer alleles than genes")
        of_set = table.group_by("genes").agg(pl.col("part").n_unique(), pl.len())
        torn = of_set.filter(pl.col("part") > 1).height
        require(apart or not torn, f"{torn:,} gene sets are in more than one part")
        sets += of_set.height
        several += of_set.filter(pl.col("len") > 1).height
    where = "each sample for itself" if apart else "each in one part"
    return f"{sets:,} gene sets, {several:,} with several alleles; {where}"
