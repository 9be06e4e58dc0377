"""The genotypes of a part of the table in the cell graph's numbers, as the store holds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.parquet as pq

from data_specs.cell_graph import CellGraph, IntArray
from data_specs.gene_states import DELETED
from data_specs.tables import ALLELES, GENOTYPE_KEYS, STATES


@dataclass(frozen=True, slots=True)
class Samples:
    """The genotypes to encode, in the store's order.

    Attributes:
        offsets: `[N + 1]` int64, where each sample's genes begin in `genes`.
        genes: int64 indices of the deleted genes: below G the cell graph's, above it `others`.
        others: assayed genes that no term of the cell graph is annotated with, sorted.
        phenotypes: `[N]` float32 a phenotype, NaN where not measured; the primary one first.
        states: float32 of every deleted gene; none: all are 0.
    """

    offsets: IntArray
    genes: IntArray
    others: tuple[str, ...]
    phenotypes: dict[str, npt.NDArray[np.float32]]
    states: npt.NDArray[np.float32] | None = None


def select_samples(
    genotypes: pl.DataFrame, graph: CellGraph, others: Sequence[str], *, graded: bool = False
) -> Samples:
    """Number the genes of the genotypes, and choose the phenotypes of the store.

    Args:
        genotypes: `data_specs.tables.GENOTYPE_KEYS` and the phenotypes, means then spreads.
        graph: the cell graph.
        others: genes of the whole genotype table that the cell graph does not have, sorted.
        graded: whether to take their states.

    Means of all phenotypes are stored, and of the primary one the spread too, as
    `NAME_spread`, with the number of merged rows as `count`.
    """
    lists = genotypes["genes"]
    index = {gene: position for position, gene in enumerate([*graph.gene_ids, *others])}
    means = [
        column
        for column in genotypes.columns
        if column not in (*GENOTYPE_KEYS, ALLELES, STATES) and not column.endswith("_spread")
    ]
    columns = [*means, f"{means[0]}_spread", "count"]
    return Samples(
        offsets=np.concatenate([[0], np.cumsum(lists.list.len().to_numpy(), dtype=np.int64)]),
        genes=lists.explode().replace_strict(index, return_dtype=pl.Int64).to_numpy(),
        others=tuple(others),
        phenotypes={
            name: genotypes[name].cast(pl.Float32).fill_null(float("nan")).to_numpy()
            for name in columns
        },
        states=genotypes[STATES].explode().to_numpy().astype(np.float32) if graded else None,
    )


def has_states(part: Path) -> bool:
    """Whether a part of the genotype table has a state other than 0."""
    if STATES not in pq.read_schema(part).names:
        return False
    states = pl.read_parquet(part, columns=[STATES], glob=False)[STATES].explode()
    return bool((states != DELETED).any())


def touching_of(genotypes: pl.DataFrame, graph: CellGraph) -> int:
    """How many genotypes touch a term: every gene of the cell graph has rows there."""
    annotated = pl.element().is_in(pl.Series(graph.gene_ids).implode())
    return int(genotypes["genes"].list.eval(annotated).list.any().sum())
