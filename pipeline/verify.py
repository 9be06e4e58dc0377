"""Check everything that a build promises, by computing it again in another way where possible."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import networkx as nx
import numpy as np
import polars as pl

from data_specs.cell_graph import DELETED, CellGraph
from data_specs.chain import chain
from data_specs.errors import ArtefactError
from data_specs.gene_names import GeneNames, counts
from data_specs.layout import DataLayout, read_json
from data_specs.ledger_words import counted, words
from data_specs.store import STATE_COLUMNS, BlockEntry, StoreReader, alleles_of
from data_specs.tables import ALLELES, PARTS, ROOT, parts_of
from data_specs.touching import few_touch
from pipeline.cell_graph import WHAT, control_of, moved, of_hierarchy


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, whether it is kept, and the finding."""

    name: str
    passed: bool
    detail: str
    warning: bool = False  # the promise is kept, but perhaps not the user's intention


class _BrokenPromiseError(Exception):
    """A promise that is not kept."""


def verify(layout: DataLayout) -> Iterator[Check]:
    """Yield the checks in order, less those that an earlier failure makes impossible."""
    graph: CellGraph | None = None
    reader: StoreReader | None = None
    try:
        graph = CellGraph.read(layout.cell_graph)
        yield Check("cell graph", True, f"readable, fingerprint {graph.fingerprint[:12]}…")
    except ArtefactError as error:
        yield Check("cell graph", False, str(error))
    if graph is not None:
        control = (layout.cell_graph / "ledger.json").is_file()
        yield _run("hierarchy", lambda: _check_hierarchy(graph, layout, control))
        if control:
            yield _run("control", lambda: _check_control(graph, layout))
        yield _run("strata", lambda: _check_strata(graph, layout))
        yield _run("wild type", lambda: _check_rows(graph))
    try:
        reader = StoreReader(layout.store)
        if graph is not None:
            graph.require(reader.meta.fingerprint, "the store")
        yield Check("store", True, f"{reader.meta.samples:,} samples, {reader.meta.layout}")
    except ArtefactError as error:
        yield Check("store", False, str(error))
        reader = None
    if reader is not None:
        yield _run("blocks", lambda: _check_blocks(reader))
    if graph is not None and reader is not None:
        yield _run("mutant states", lambda: _check_states(graph, reader, layout))
        yield _run("split", lambda: _check_split(reader, layout))
        if alleles_of(layout.store) is not None:
            yield _run("alleles", lambda: _check_alleles(reader, layout))
    if graph is not None and (layout.genotypes / "gene_names.parquet").is_file():
        yield _run("names", lambda: _check_names(graph, layout))
    stored = layout.store / "ledger.json"
    if stored.is_file() and (warning := few_touch(read_json(stored))):
        yield Check("touching", True, warning, warning=True)
    yield _run("ledger", lambda: _check_ledger(layout))
    yield _run("chain", lambda: _check_chain(layout))


def _run(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, True, check())
    except (_BrokenPromiseError, ArtefactError) as error:
        return Check(name, False, str(error))
    except (OSError, KeyError, NotImplementedError, pl.exceptions.PolarsError) as error:
        return Check(name, False, f"{type(error).__name__}: {error}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise _BrokenPromiseError(message)


def _check_hierarchy(graph: CellGraph, layout: DataLayout, control: bool) -> str:
    """The root is the pipeline's, and containment grows upwards; reading checked the rest.

    In a control the contained genes are those of the real hierarchy, and need not grow.
    """
    path = layout.hierarchy / "ledger.json"
    root = (read_json(path) if path.is_file() else {}).get("root", ROOT)
    _require(graph.term_ids[0] == root, f"the root is {graph.term_ids[0]}; expected {root}")
    child, parent = graph.edges.T
    contained = graph.genes_contained
    grows = control or bool((contained[parent] >= contained[child]).all())
    _require(grows, "containment shrinks upwards")
    return f"{graph.num_terms:,} terms in {graph.num_strata} strata, {len(graph.edges):,} edges"


def _check_strata(graph: CellGraph, layout: DataLayout) -> str:
    """No edge joins two terms of one stratum, and the table of strata says the same as the graph.

    Levels and depths are counted again from the ontology, along other paths of code.
    """
    child, parent = graph.edges.T
    flat = np.flatnonzero(graph.strata[child] <= graph.strata[parent])
    if flat.size:
        below, above = graph.edges[flat[0]]
        raise _BrokenPromiseError(
            f"{graph.term_ids[below]} and its parent {graph.term_ids[above]} are in strata "
            f"{graph.strata[below]} and {graph.strata[above]}; expected the child's to be larger"
        )
    found = f"{len(graph.edges):,} edges, none within a stratum"
    path = layout.strata / "strata.parquet"
    if not path.is_file():
        return found
    table = pl.read_parquet(path, glob=False)
    same = dict(zip(graph.term_ids, graph.strata.tolist(), strict=True))
    _require(same == dict(table.select("term", "stratum").iter_rows()), f"{path}: other strata")
    if "level" not in table.columns:  # a build from before there were levels
        return found
    _check_levels(table, layout)
    level = dict(table.select("term", "level").iter_rows())
    ends = ((level[graph.term_ids[c]], level[graph.term_ids[p]]) for c, p in graph.edges.tolist())
    one = sum(below == above for below, above in ends if below is not None)
    return f"{found}; {one:,} within a level"


def _check_levels(table: pl.DataFrame, layout: DataLayout) -> None:
    """Level and depth of every term, by the generations of the ontology and by distances."""
    edges = pl.read_parquet(layout.ontology / "edges.parquet", glob=False).filter(relation="is_a")
    terms = pl.read_parquet(layout.ontology / "terms.parquet", glob=False)
    graph = nx.DiGraph(edges.select("parent", "child").rows())
    graph.add_nodes_from(terms.filter(~pl.col("obsolete"))["term"])
    depth = {t: n for n, layer in enumerate(nx.topological_generations(graph)) for t in layer}
    above = object()  # all roots, one step down from it
    graph.add_edges_from([(above, term) for term in list(graph) if not graph.in_degree(term)])
    level = nx.single_source_shortest_path_length(graph, above)
    for term, stated, deepest in table.select("term", "level", "depth").iter_rows():
        expected = (level[term] - 1, depth[term]) if term in depth else (None, None)
        _require(
            (stated, deepest) == expected,
            f"{term} has level {stated} and depth {deepest}; the ontology says {expected}",
        )


def _check_control(graph: CellGraph, layout: DataLayout) -> str:
    """All sizes are those of the hierarchy, and as many pairs differ from it as the ledger says."""
    account = control_of(layout)
    assert account is not None, "asked of controls alone"
    real = of_hierarchy(layout, exact_names=graph.exact_names)
    for name in ("term_ids", "gene_ids", "strata", "genes_contained"):
        same = np.array_equal(getattr(graph, name), getattr(real, name))
        _require(same, f"{words(name)} differ from the hierarchy's")
    for what, ends in (("annotations", ("term", "gene")), ("edges", ("child", "parent"))):
        before, now = getattr(real, what), getattr(graph, what)
        others = moved(before, now)
        expected = account.moved if what == WHAT[account.control] else 0
        _require(others == expected, f"{others:,} {what} moved; its ledger says {expected:,}")
        for end, name in enumerate(ends):
            counts = []
            for pairs in (before, now):
                stratum = real.strata[pairs[:, 1 - end]] if what == "edges" else 0
                counts.append(np.sort(pairs[:, end] * real.num_strata + stratum))
            same = np.array_equal(counts[0], counts[1])
            _require(same, f"a {name} has more or fewer {what} than it had")
    return str(account)


def _check_rows(graph: CellGraph) -> str:
    """Genes are sorted, as the numbers in the store suppose."""
    _require(list(graph.gene_ids) == sorted(graph.gene_ids), "genes are not sorted")
    return f"{len(graph.annotations):,} rows of {graph.num_genes:,} genes"


def _check_names(graph: CellGraph, layout: DataLayout) -> str:
    """Every name in the genotypes has the same meaning for a model on the cell graph."""
    names = GeneNames.of(graph)
    table = pl.read_parquet(layout.genotypes / "gene_names.parquet", glob=False)
    for name, gene, how in table.select("name", "gene", "how").iter_rows():
        found = names.resolve(name)
        _require(
            (found.gene, found.how) == (gene, how),
            f"'{name}' was taken for {gene} ({how}); the cell graph says {found.gene}",
        )
    return counted(counts(table["how"]), zeros=True)


def _check_blocks(reader: StoreReader) -> str:
    expected = 0
    for block_index, entry in enumerate(reader.meta.blocks):
        _require(entry.first == expected, f"block {block_index} starts at sample {entry.first}")
        reader.check_block(block_index)
        reader.release(entry.shard)
        expected += entry.samples
    _require(expected == reader.meta.samples, f"blocks hold {expected} samples")
    extra = sorted(p.name for p in reader.folder.iterdir() if "lock" in p.name)
    _require(not extra, f"lock file in the store: {extra}")
    return f"{len(reader.meta.blocks)} blocks, all checksums match"


def _check_states(graph: CellGraph, reader: StoreReader, layout: DataLayout) -> str:
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
        genes = pl.DataFrame({"gene": lists}).with_row_index("sample").explode("gene")
        genes = genes.join(names, on="gene", how="left", maintain_order="left").drop("gene")
        ends = np.cumsum(np.bincount(genes["sample"].to_numpy(), minlength=entry.samples))
        same = np.array_equal(block.gene_offsets[1:], ends) and np.array_equal(
            block.genes, genes["number"].to_numpy()
        )
        _require(same, f"{where}: genes differ from samples.parquet")
        changed = genes.join(annotations, on="number", maintain_order="left_right")
        # Places in a dense state of the block. The rows of a gene ascend already.
        places = changed["sample"].to_numpy().astype(np.int64) * rows + changed["row"].to_numpy()
        places.sort(kind="stable")
        if reader.meta.layout == "dense":
            expected = [np.tile(column, entry.samples) for column in wild_type]
            expected[3][places] = DELETED
            lengths = np.full(entry.samples, rows)
        else:
            sample, row = np.divmod(places, rows)
            expected = [column[row] for column in wild_type]
            expected[3][:] = DELETED
            lengths = np.bincount(sample, minlength=entry.samples)
        same = np.array_equal(block.state_offsets[1:], np.cumsum(lengths)) and all(
            np.array_equal(block.state[name], column)
            for name, column in zip(STATE_COLUMNS, expected, strict=True)
        )
        _require(same, f"{where}: state rows differ")
        total += len(places)
    return f"{total:,} changed rows, {total / max(1, reader.meta.samples):.1f} a sample"


def _blocks(reader: StoreReader, layout: DataLayout) -> Iterator[tuple[int, BlockEntry, pl.Series]]:
    """The blocks by number, each with the genes of its samples."""
    for shard, (first, samples) in enumerate(_samples(reader, layout, "genes")):
        for block_index, entry in enumerate(reader.meta.blocks):
            if entry.shard == shard:
                yield block_index, entry, samples["genes"].slice(entry.first - first, entry.samples)
        reader.release(shard)


def _samples(
    reader: StoreReader, layout: DataLayout, *columns: str
) -> Iterator[tuple[int, pl.DataFrame]]:
    """The keys of the samples of each shard, and the number of its first sample."""
    parts = parts_of(layout.store / "samples.parquet")
    shards = len(reader.meta.shards)
    _require(len(parts) == shards, f"samples.parquet has {len(parts)} parts for {shards} shards")
    first = 0
    for shard, part in enumerate(parts):
        samples = pl.read_parquet(part, columns=list(columns), glob=False)
        expected = sum(entry.samples for entry in reader.meta.blocks if entry.shard == shard)
        _require(
            samples.height == expected,
            f"samples.parquet/{part.name}: {samples.height} samples; the shard has {expected}",
        )
        yield first, samples
        first += expected


def _check_split(reader: StoreReader, layout: DataLayout) -> str:
    """Every sample in one part, and the parts as disjoint as the method says."""
    split = pl.scan_parquet(layout.split / "split.parquet", glob=False)
    method = read_json(layout.split / "ledger.json")["method"]
    rows = split.select(pl.len()).collect().item()
    _require(rows == reader.meta.samples, f"samples are not each once: {rows} rows")
    column = {"query": "queries", "gene": "genes"}.get(method)
    columns = ["given", column] if column else ["given"]
    counts = dict.fromkeys(PARTS, 0)
    values: dict[str, set[str]] = {"train": set(), "test": set()}
    any_given = False
    for first, samples in _samples(reader, layout, *columns):
        table = split.slice(first, samples.height).collect().hstack(samples)
        numbers = pl.int_range(first, first + samples.height, eager=True)
        _require(table["sample"].equals(numbers), "samples are not each once")
        found = dict(table["part"].value_counts().iter_rows())
        unknown = set(found) - set(PARTS)
        _require(not unknown, f"unknown parts {sorted(unknown, key=str)}")
        counts = {part: counts[part] + found.get(part, 0) for part in PARTS}
        given = table.filter(given="test")
        any_given |= not given.is_empty()
        _require(
            bool((given["part"] == "test").all()), "a given test sample is not in the test part"
        )
        if column:
            for part, present in values.items():
                present |= set(table.filter(part=part)[column].explode(empty_as_null=True).unique())
    shared = (values["train"] & values["test"]) - {None}
    _require(any_given or not shared, f"train and test share {len(shared)} {column}")
    return f"{method}: {counted(counts)}"


def _check_alleles(reader: StoreReader, layout: DataLayout) -> str:
    """Gene sets with their alleles are each once, and in one part unless they may be apart."""
    parts = pl.read_parquet(layout.split / "split.parquet", glob=False)["part"]
    apart = ALLELES in read_json(layout.split / "ledger.json")
    sets = several = 0
    for first, samples in _samples(reader, layout, "genes", ALLELES):
        table = samples.select(pl.all().list.join("|"), sizes=pl.col("genes").list.len())
        table = table.with_columns(part=parts.slice(first, samples.height))
        _require(table.select("genes", ALLELES).is_unique().all(), "a genotype is there twice")
        named = samples[ALLELES].list.len()
        fits = ((named == table["sizes"]) | (named == 0)).all()
        _require(fits, "a genotype has more or fewer alleles than genes")
        of_set = table.group_by("genes").agg(pl.col("part").n_unique(), pl.len())
        torn = of_set.filter(pl.col("part") > 1).height
        _require(apart or not torn, f"{torn:,} gene sets are in more than one part")
        sets += of_set.height
        several += of_set.filter(pl.col("len") > 1).height
    where = "each sample for itself" if apart else "each in one part"
    return f"{sets:,} gene sets, {several:,} with several alleles; {where}"


def _check_chain(layout: DataLayout) -> str:
    """Every artefact matches its link, and was made from the others."""
    links = list(chain(layout))
    for link in links:
        _require(not link.fault, f"{link.name} {link.fault}")
    return " → ".join(f"{words(link.name)} {link.digest[:8]}" for link in links)


def _check_ledger(layout: DataLayout) -> str:
    """The counts of kept and dropped records add up to all."""
    lines = read_json(layout.annotations / "ledger.json")
    dropped = sum(lines["dropped"].values())
    _require(lines["lines"] == lines["kept"] + dropped, "annotation lines do not add up")
    for total in ("lines", "kept"):
        by_file = [file[total] for file in lines.get("annotation_files", [])]
        fits = not by_file or sum(by_file) == lines[total]
        _require(fits, f"annotation files do not add up: {total}")
    rows = read_json(layout.genotypes / "ledger.json")
    accounted = sum(rows["dropped"].values()) + rows["merged"] + rows["genotypes"]
    _require(rows["rows"] == accounted, "genotype rows do not add up")
    return f"{lines['lines']:,} annotation lines and {rows['rows']:,} genotype rows add up"
