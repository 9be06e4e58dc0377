"""Names of genes: ids, symbols and synonyms of annotation lines, and names mapped to them.

Tables are those of `data_specs.tables.GENE_NAMES`.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from data_specs.gene_names import MAPPED

NO_NAMES = pl.DataFrame(schema={"name": pl.String, "gene": pl.String, "kind": pl.String})
# Lines dropped for these reasons do not name a gene of this organism.
_NAMELESS = ("malformed", "negated", "taxon", "no_gene_id")


def gene_names(lines: pl.DataFrame) -> pl.DataFrame:
    """Each gene's id, with the symbols (column 3) and synonyms (column 11) that lines give beside.

    Returns:
        `data_specs.tables.GENE_NAMES`.
    """
    named = lines.filter(~pl.col("reason").is_in(_NAMELESS).fill_null(False))
    parts = [
        named.select(values_of(column).alias("name"), "gene", kind=pl.lit(kind)).explode("name")
        for column, kind in (("c3", "symbol"), ("c11", "synonym"))
    ]
    further = (pl.col("name") != "") & (pl.col("name") != pl.col("gene"))
    names = pl.concat(parts).filter(further).unique()
    # The symbol of a gene is not also its synonym.
    names = names.sort("kind").unique(["name", "gene"], keep="first", maintain_order=True)
    return sorted_names([ids_of(named), names])


def ids_of(genes: pl.DataFrame) -> pl.DataFrame:
    """The ids in the column `gene`, as names of themselves."""
    ids = genes["gene"].unique()
    return pl.DataFrame({"name": ids, "gene": ids}).with_columns(kind=pl.lit("systematic"))


def mapped(mapping: Mapping[str, str]) -> pl.DataFrame:
    """A mapping (`pipeline.annotations.gene_mapping`) as rows of `data_specs.tables.GENE_NAMES`."""
    rows = [(name, gene, MAPPED) for name, gene in mapping.items()]
    return pl.DataFrame(rows, schema=NO_NAMES.schema, orient="row")


def sorted_names(names: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Tables of names as one, in the order in which they are written."""
    return pl.concat(names).sort("name", "kind", "gene")


def values_of(column: str) -> pl.Expr:
    """The `|`-separated values of a cell, trimmed."""
    return pl.col(column).fill_null("").str.split("|").list.eval(pl.element().str.strip_chars())
