"""Stage `split`: which samples train the model, which choose its settings, which judge it.

Chance comes from BLAKE2b of the seed and the genotype (or the group of genotypes) alone: the parts
are the same on every machine, and do not depend on the order of the samples.

- `random`: any sample may come into any part.
- `query`: samples whose queries hang together go into one part, so that no query strain is on two
  sides. Samples without a query are groups of their own. Whole groups are given to a part as long
  as that brings it closer to its share.
- `gene`: the test samples are those wholly inside a set of genes, the training samples those
  wholly outside; the rest is excluded. The validation part is drawn at random from the training
  samples, and shares genes with them.

Samples of given test files are the test part, whatever the method; only the validation part is
then drawn, by the method, and its share is one of the samples that are left.
"""

import hashlib
from collections.abc import Sequence

import networkx as nx
import numpy as np
import numpy.typing as npt
import polars as pl

from data_specs.chain import write_link
from data_specs.errors import ArtefactError, InputError
from data_specs.files import replacing
from data_specs.layout import DataLayout, write_json
from data_specs.parameters import Parameters, Split
from data_specs.tables import PARTS, write_table
from pipeline.stage import run_stage

Ints = npt.NDArray[np.int64]
Labels = npt.NDArray[np.str_]


def split(samples: pl.DataFrame, settings: Split) -> pl.DataFrame:
    """Give every sample its part.

    Args:
        samples: `genes` and `queries` (list[str], sorted) and `given`, in the store's order.
        settings: method, shares and seed.

    Returns:
        Columns `data_specs.tables.SPLIT`, one row a sample in the same order. The parts depend on
        the samples and the settings, not on the order.

    Raises:
        InputError: a part that was asked for would be empty, or the method does not fit the data.
    """
    if samples.is_empty():
        raise InputError("the store holds no samples; build it from genotypes whose genes it knows")
    samples = samples.with_columns(key=pl.col("genes").list.join("|"))
    order = _shuffled(samples["key"], settings.seed)
    drawn = samples[order]
    given_test = (drawn["given"] == "test").to_numpy()
    test = 0.0 if given_test.any() else settings.test
    free = drawn.filter(~given_test)
    if settings.method == "query" and not free.is_empty():
        labels = by_query(free, settings.val, test, settings.seed)
    elif settings.method == "gene" and test > 0:
        labels = by_gene(free, settings.val, test, settings.seed)
    else:
        labels = at_random(free.height, settings.val, test)
    parts = np.full(samples.height, "test", dtype=labels.dtype)
    parts[order[~given_test]] = labels
    _check(parts, settings, bool(given_test.any()))
    return pl.DataFrame(
        {"sample": range(samples.height), "part": parts.tolist()},
        schema={"sample": pl.Int64, "part": pl.String},
    )


def at_random(samples: int, val: float, test: float) -> Labels:
    """Label shuffled samples: the first are the test part, the next the validation part."""
    labels = _all_train(samples)
    tested = _size(samples, test)
    labels[:tested] = "test"
    labels[tested : tested + _size(samples, val)] = "val"
    return labels


def by_query(samples: pl.DataFrame, val: float, test: float, seed: int) -> Labels:
    """Label whole groups of samples whose queries are linked by a sample that has both.

    Raises:
        InputError: no sample has a query.
    """
    graph = nx.Graph()
    for queries in samples["queries"].to_list():
        nx.add_path(graph, queries)
    if not graph:
        raise InputError(
            "split.method is 'query', but these genotypes come from files without query strains. "
            "Set split.method to gene or random."
        )
    group_of = {
        query: f"query {min(group)}" for group in nx.connected_components(graph) for query in group
    }
    groups = samples.select(
        group=pl.coalesce(
            pl.col("queries").list.first().replace_strict(group_of, default=None),
            "genes " + pl.col("key"),
        )
    )
    sizes = groups.group_by("group").len()
    sizes = sizes[_shuffled(sizes["group"], seed)]
    labels = _all_train(sizes.height)
    for part, share, left in (("test", test, 1 + (val > 0)), ("val", val, 1)):
        free = np.flatnonzero(labels == "train")
        most = len(free) - left  # a group each is left for what comes after
        taken = _nearest(sizes["len"][free].to_list(), _size(samples.height, share), most)
        labels[free[taken]] = part
    sizes = sizes.with_columns(part=pl.Series(labels.tolist(), dtype=pl.String))
    joined = groups.join(sizes, on="group", how="left", maintain_order="left")
    return joined["part"].to_numpy().astype(str)


def by_gene(samples: pl.DataFrame, val: float, test: float, seed: int) -> Labels:
    """Label the samples wholly inside the smallest set of genes that yields the test share.

    Genes join the set in the order of their hashes. The share is that of the samples not excluded.
    """
    genes = samples["genes"].explode()
    known = genes.unique()
    ranks = genes.cast(pl.Enum(known[_shuffled(known, seed)])).to_physical().to_numpy()
    lengths = samples["genes"].list.len().to_numpy().astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    lowest, highest = np.minimum.reduceat(ranks, starts), np.maximum.reduceat(ranks, starts)
    sizes = np.arange(1, known.len() + 1)  # of the set of genes
    inside = np.searchsorted(np.sort(highest), sizes)  # samples with all genes in the set
    outside = samples.height - np.searchsorted(np.sort(lowest), sizes)
    enough = (inside > 0) & (inside >= test * (inside + outside))
    size = sizes[np.argmax(enough)]
    labels = np.full(samples.height, "excluded", dtype=_all_train(0).dtype)
    labels[highest < size] = "test"
    train = np.flatnonzero(lowest >= size)
    labels[train] = "train"
    labels[train[: _size(int((labels != "excluded").sum()), val)]] = "val"
    return labels


def _shuffled(keys: pl.Series, seed: int) -> Ints:
    """Positions of distinct keys `[N]` in the order of their keyed hashes, `[N]`."""
    secret = str(seed).encode()
    hashes = (hashlib.blake2b(key.encode(), key=secret, digest_size=8).digest() for key in keys)
    numbers = np.frombuffer(b"".join(hashes), dtype=">u8").astype(np.uint64)
    table = pl.DataFrame({"number": numbers, "key": keys})
    return table.select(pl.arg_sort_by("number", "key")).to_series().to_numpy().astype(np.int64)


def _size(samples: int, share: float) -> int:
    """Samples in a share, to the nearest; at least one where there are three or more."""
    nearest = int(samples * share + 0.5)
    return max(nearest, 1) if share > 0 and samples >= 3 else nearest


def _nearest(sizes: Sequence[int], target: int, most: int) -> list[bool]:
    """Take groups, in order, as long as each brings the sum closer to the target.

    At least one is taken, and no more than `most`.
    """
    total = 0
    taken: list[bool] = []
    for size in sizes:
        closer = abs(total + size - target) < abs(total - target) and sum(taken) < most
        total += size * closer
        taken.append(closer)
    if target and not total and most > 0:
        taken[sizes.index(min(sizes))] = True
    return taken


def _all_train(samples: int) -> Labels:
    return np.full(samples, "train", dtype=f"<U{max(map(len, PARTS))}")


def _check(labels: Labels, settings: Split, test_is_given: bool) -> None:
    counts = {part: int((labels == part).sum()) for part in PARTS}
    wanted = {"train": True, "val": settings.val > 0, "test": settings.test > 0 or test_is_given}
    empty = [part for part, asked in wanted.items() if asked and not counts[part]]
    if empty:
        found = ", ".join(f"{part} {count}" for part, count in counts.items())
        raise InputError(
            f"split.method '{settings.method}' with val {settings.val:g}, test {settings.test:g} "
            f"leaves no samples in {' and '.join(empty)} ({found}). Change these shares, set the "
            "share of a part that is not needed to 0, choose method random, or give more genotypes."
        )


def run(parameters: Parameters, layout: DataLayout) -> None:
    """Split the samples of the store; write the part of each and the counts.

    Raises:
        ArtefactError: the store has not been built.
        InputError: see `split`.
    """
    path = layout.store / "samples.parquet"
    if not path.is_dir():
        raise ArtefactError(f"{path}: no such file. Run the stage 'store' first.")
    samples = pl.read_parquet(path)
    table = split(samples, parameters.split)
    # Given test files are the split that readers compare; the method draws no more than val then.
    method = "given" if samples.filter(given="test").height else parameters.split.method
    with replacing(layout.split) as folder:
        folder.mkdir()
        write_table(table, folder / "split.parquet")
        counts = {part: table.filter(part=part).height for part in PARTS}
        write_json(folder / "ledger.json", {"method": method, **counts})
        write_link(layout, "split", folder)


if __name__ == "__main__":
    run_stage(run)
