"""Schemas of the tables that stages hand on, as Parquet files with sorted rows."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import polars as pl

ROOT = "GO:ROOT"

# One row a defined term, sorted by term. `obsolete` terms are listed but never become nodes.
TERMS = pa.schema(
    [
        ("term", pa.large_string()),
        ("name", pa.large_string()),
        ("namespace", pa.large_string()),
        ("obsolete", pa.bool_()),
    ]
)
# One row an edge between live terms, primary ids on both sides, sorted.
EDGES = pa.schema(
    [
        ("child", pa.large_string()),
        ("parent", pa.large_string()),
        ("relation", pa.large_string()),
    ]
)
# One row an id that stands for another term: `kind` is alt_id or replaced_by; sorted by id.
ALIASES = pa.schema(
    [("id", pa.large_string()), ("term", pa.large_string()), ("kind", pa.large_string())]
)
# One row a (term, gene) pair, sorted.
ANNOTATIONS = pa.schema([("term", pa.large_string()), ("gene", pa.large_string())])
# One row a name of a gene, sorted by name, kind and gene: `kind` is systematic (its id), symbol
# (the standard name, one a gene), synonym, or mapped (from `sources.gene_names`: `gene` is what the
# name stands for, which need not be an id). Genes of lines that were dropped are named, too.
GENE_NAMES = pa.schema(
    [("name", pa.large_string()), ("gene", pa.large_string()), ("kind", pa.large_string())]
)
# One row a name that kept rows of the genotype tables have, sorted: the gene that it means, how
# that was told (`data_specs.gene_names.Resolution`), and in how many rows it is.
RESOLVED_NAMES = pa.schema(
    [
        ("name", pa.large_string()),
        ("gene", pa.large_string()),
        ("how", pa.large_string()),
        ("rows", pa.int64()),
    ]
)
# One row a term of the pruned hierarchy, sorted by (stratum, term); the root is row 0. `level` and
# `depth` are the lengths of the shortest and longest path from a root of the whole ontology, along
# is_a, as goatools has them; null of a root that is none of its terms. Early builds lack both.
STRATA = pa.schema(
    [
        ("term", pa.large_string()),
        ("stratum", pa.int64()),
        ("height", pa.int64()),
        ("level", pa.int64()),
        ("depth", pa.int64()),
    ]
)
# One row an edge between two genes of the store, gene_a < gene_b, sorted; weights above 0.
NETWORK = pa.schema(
    [("gene_a", pa.large_string()), ("gene_b", pa.large_string()), ("weight", pa.float32())]
)
# One row a sample, in the store's order.
SPLIT = pa.schema([("sample", pa.int64()), ("part", pa.large_string())])
# Parts of a split; `excluded` samples share genes with both sides of a disjoint split.
PARTS = ("train", "val", "test", "excluded")
TRAIN, VAL, TEST, EXCLUDED = range(len(PARTS))  # the number of each

# Columns of the genotype table that are not phenotypes. One row a distinct gene set, sorted by
# `genes`; then come, for each phenotype p, its mean `p` and, after all means, its spread
# `p_spread` (sample standard deviation over the merged rows, null when there was one).
# With `genotypes.alleles: keep` there is a column `alleles` (list[str], one a gene in their order),
# and rows are distinct gene sets with their alleles; a row of a file without any has an empty list.
ALLELES = "alleles"
# Where genes have states there is a column `states` (list[float32], one a gene in their order: 0 of
# a deletion, 1 would be the wild type), and rows are distinct gene sets with their states.
STATES = "states"
GENOTYPE_KEYS: dict[str, pa.DataType] = {
    "genes": pa.large_list(pa.large_string()),  # systematic names, sorted, each once
    "queries": pa.large_list(pa.large_string()),  # query keys ("A|B"), sorted; empty if unknown
    "given": pa.large_string(),  # "train" or "test": which of the given files it came from
    "count": pa.uint32(),  # rows merged
}


# A table of many parts is a folder of Parquet files, `genotypes.parquet/00000.parquet`, …, whose
# rows follow each other: Polars, PyArrow and Dask read the folder as one table.


def part_name(index: int) -> str:
    """File of a part of a table."""
    return f"{index:05d}.parquet"


def parts_of(table: Path) -> list[Path]:
    """Files of a table of many parts, in order, as absolute paths."""
    return sorted(path.absolute() for path in table.glob("[0-9]*.parquet"))


def joined_states(between: str) -> "pl.Expr":
    """The states of each genotype as one text, for keys."""
    import polars as pl

    return pl.col(STATES).list.eval(pl.element().cast(pl.String)).list.join(between)


def write_table(frame: "pl.DataFrame", path: Path) -> None:
    """Write a stage's table as Parquet; the same frame gives the same bytes."""
    frame.write_parquet(path, compression="zstd", statistics=False)
