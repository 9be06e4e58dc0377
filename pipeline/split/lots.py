"""Lots decide to which part samples go: those of one part of the store, and those of all.

A part of the store is reduced to a few bytes a sample, so that no more than these are ever held of
all samples. What the numbers say does not depend on how the store is cut into parts.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
import numpy.typing as npt
import polars as pl

from data_specs.errors import InputError
from data_specs.parameters import Split
from data_specs.tables import ALLELES, STATES, joined_states

Hashes = npt.NDArray[np.uint64]
Indices = npt.NDArray[Any]  # unsigned integers, as narrow as they go


@dataclass(frozen=True, slots=True)
class Groups:
    """Method `query`: to which groups the samples of a part of the store belong.

    Attributes:
        hashes: `[k]` of the groups' names, as far as this part knows the groups.
        group: `[n]` for each sample, where in `hashes` its group stands.
        linked: the queries of each group that has some, sorted; their first names it.
    """

    hashes: Hashes
    group: Indices
    linked: list[list[str]]


@dataclass(frozen=True, slots=True)
class Genes:
    """Method `gene`: which genes the samples of a part of the store have.

    Attributes:
        hashes: `[k]` of the genes, sorted.
        lowest: `[n]` for each sample, where in `hashes` the first of its genes stands.
        highest: `[n]` and where the last.
    """

    hashes: Hashes
    lowest: Indices
    highest: Indices


@dataclass(frozen=True, slots=True)
class Lots:
    """The lots of the samples of a part of the store, in their order.

    Attributes:
        hashes: `[n]` of the genotypes. Samples are drawn in the order of these; those of one
            number, which differ in alleles only, come into one part.
        given_test: `[n]` bool, samples of given test files.
        groups: with method `query`.
        genes: with method `gene`.
    """

    hashes: Hashes
    given_test: npt.NDArray[np.bool_]
    groups: Groups | None = None
    genes: Genes | None = None


def draw(samples: pl.DataFrame, settings: Split) -> Lots:
    """Reduce samples, as `split` takes them, to their lots."""
    samples = samples.with_columns(key=pl.col("genes").list.join("|"))
    if STATES in samples.columns:
        states = joined_states("|")
        samples = samples.with_columns(key=pl.col("key") + "\t\t" + states)
    if ALLELES in samples.columns and settings.alleles == "together":
        samples = _with_queries_of_all_alleles(samples)
    elif ALLELES in samples.columns:
        samples = samples.with_columns(key=pl.col("key") + "\t" + pl.col(ALLELES).list.join("|"))
    return Lots(
        hashes=_hashes(samples["key"], settings.seed),
        given_test=(samples["given"] == "test").to_numpy(),
        groups=_groups(samples, settings.seed) if settings.method == "query" else None,
        genes=_genes(samples["genes"], settings.seed) if settings.method == "gene" else None,
    )


def _with_queries_of_all_alleles(samples: pl.DataFrame) -> pl.DataFrame:
    """Samples of one gene set, each with the queries of all, so that one group has them all."""
    queries = pl.col("queries").explode().drop_nulls().unique().sort()
    of_all = samples.group_by("key").agg(queries)
    return samples.drop("queries").join(of_all, on="key", how="left", maintain_order="left")


def _groups(samples: pl.DataFrame, seed: int) -> Groups:
    """Group samples whose queries are linked by a sample that has both; no given test sample is."""
    samples = samples.with_columns(first=pl.col("queries").list.first())
    links = samples.filter(pl.col("given") != "test", pl.col("first").is_not_null())
    graph = nx.Graph()
    graph.add_edges_from(links.select("first", "queries").explode("queries").unique().iter_rows())
    linked = sorted(sorted(group) for group in nx.connected_components(graph))
    name_of = {query: f"query {group[0]}" for group in linked for query in group}
    alone = "genes " + samples["key"]
    names = samples["first"].replace_strict(name_of, default=alone, return_dtype=pl.String)
    known = names.unique()
    group = names.cast(pl.Enum(known)).to_physical().to_numpy()
    return Groups(_hashes(known, seed), group, linked)


def _genes(genes: pl.Series, seed: int) -> Genes:
    """The lowest and the highest of every sample's genes, in the order of the genes' hashes."""
    flat = genes.explode()
    known = flat.unique()
    hashes = _hashes(known, seed)
    order = np.argsort(hashes)
    indices = flat.cast(pl.Enum(known[order])).to_physical().to_numpy()
    lengths = genes.list.len().to_numpy().astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    lowest, highest = np.minimum.reduceat(indices, starts), np.maximum.reduceat(indices, starts)
    return Genes(hashes[order], lowest, highest)


def _hashes(texts: pl.Series, seed: int) -> Hashes:
    """Keyed hashes of texts, `[n]`.

    That two of 14 million are alike happens once in 200,000 stores. Such samples are drawn in the
    order of the store, such groups go into one part, and such genes into one set.
    """
    secret = str(seed).encode()
    hashes = (hashlib.blake2b(text.encode(), key=secret, digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(hashes), dtype=">u8").astype(np.uint64)


def whole_groups(lots: Sequence[Groups], seed: int) -> Indices:
    """The group of every sample, `[N]`, where groups of several parts of the store are one.

    Raises:
        InputError: no sample has a query.
    """
    graph = nx.Graph()
    for part_lots in lots:
        for linked in part_lots.linked:
            nx.add_path(graph, linked)
    if not graph:
        raise InputError(
            "split.method is 'query', but these genotypes come from files without query strains. "
            "Set split.method to gene or random."
        )
    name_of = {
        query: f"query {min(group)}" for group in nx.connected_components(graph) for query in group
    }
    hashes = []
    for part_lots in lots:
        first = pl.Series([linked[0] for linked in part_lots.linked], dtype=pl.String)
        here, there = _hashes("query " + first, seed), _hashes(first.replace_strict(name_of), seed)
        hashes.append(pl.Series(part_lots.hashes).replace(here, there).to_numpy())
    indices = zip(_indices(hashes), lots, strict=True)
    return np.concatenate([index[part_lots.group] for index, part_lots in indices])


def whole_genes(lots: Sequence[Genes]) -> tuple[Indices, Indices]:
    """The lowest and the highest of every sample's genes, `[N]`, among the genes of all samples."""
    indices = list(zip(_indices([part_lots.hashes for part_lots in lots]), lots, strict=True))
    lowest = np.concatenate([index[part_lots.lowest] for index, part_lots in indices])
    return lowest, np.concatenate([index[part_lots.highest] for index, part_lots in indices])


def _indices(hashes: Sequence[Hashes]) -> list[Indices]:
    """Where the hashes of each part of the store stand among those of all."""
    known = np.unique(np.concatenate(hashes))
    return [np.searchsorted(known, part_hashes).astype(np.uint32) for part_hashes in hashes]
