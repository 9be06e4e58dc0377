"""GPAD 1.x and 2.0: annotations without the names of genes, which a GPI file has.

Version 1 has the database and the id in two columns, qualifiers with NOT among them, and dates as
YYYYMMDD; version 2 has one column DB:ID, NOT in a column of its own, and dates as YYYY-MM-DD, with
a time or without. The formats: https://geneontology.org/docs/gene-product-association-data-gpad-format-2.0/
"""

import polars as pl

from pipeline.annotations.evidence import go_code
from pipeline.annotations.gaf import FORM, first_fault, split_lines, wrong_number

LEAST, MOST = 10, 12  # columns; the last two are optional


def read(text: str, version: int, genes: pl.DataFrame) -> pl.DataFrame:
    """The lines of a GPAD file in the form of `pipeline.annotations.gaf`.

    A class of ECO that no evidence code of GO is known for stands in `c7` as it is.

    Args:
        text: of the file.
        version: 1 or 2.
        genes: what GPI files say of them (`pipeline.annotations.gene_info.GENES`).

    Returns:
        The form, and `named`, whether `genes` has the line's gene.
    """
    lines = split_lines(text, MOST)
    lines = lines.with_columns(pl.col(f"c{n}").fill_null("") for n in range(1, MOST + 1))
    lines = _first(lines) if version == 1 else _second(lines)
    eco, references, properties = pl.col("stated"), pl.col("references"), pl.col("properties")
    return (
        lines.join(genes, on=["db", "id"], how="left", maintain_order="left")
        .with_columns(named=pl.col("symbol").is_not_null())
        .with_columns(pl.col("symbol", "gene_name", "synonyms", "type", "taxon").fill_null(""))
        .select(
            "line", "fault", "stated", "named",
            c1="db", c2="id", c3="symbol", c4="qualifier", c5="term", c6=references,
            c7=pl.coalesce(go_code(eco, references, properties), eco), c8="with", c9=pl.lit(""),
            c10="gene_name", c11="synonyms", c12="type",
            c13=pl.when(pl.col("other_taxon") == "").then("taxon")
            .otherwise(pl.col("taxon") + "|" + pl.col("other_taxon")),
            c14="date", c15="by", c16="extensions", c17=pl.lit(""),
        )
    ).select(*FORM, "named")  # fmt: skip


def _first(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.select(
        "line",
        fault=first_fault(
            wrong_number(LEAST, MOST),
            (pl.col("c2") == "", pl.lit("column 2 (id of the gene) is empty; expected one")),
            (pl.col("c4") == "", pl.lit("column 4 (GO id) is empty; expected a term id")),
            _no_eco(),
            (~pl.col("c9").str.contains(r"^[0-9]{8}$"),
             pl.format("column 9 (date) is '{}'; expected YYYYMMDD", pl.col("c9"))),
        ),
        db="c1", id="c2", qualifier="c3", term="c4", references="c5",
        stated=pl.col("c6").str.to_uppercase(), other_taxon="c8", date="c9", by="c10",
        extensions="c11", properties="c12", **{"with": "c7"},
    )  # fmt: skip


def _second(lines: pl.DataFrame) -> pl.DataFrame:
    gene, negation, date = pl.col("c1"), pl.col("c2"), pl.col("c9")
    return lines.select(
        "line",
        fault=first_fault(
            wrong_number(LEAST, MOST),
            (~gene.str.contains(r"^[^:]+:."),
             pl.format("column 1 (gene) is '{}'; expected DB:ID", gene)),
            (~negation.str.to_uppercase().is_in(["", "NOT"]),
             pl.format("column 2 (negation) is '{}'; expected NOT or nothing", negation)),
            (pl.col("c4") == "", pl.lit("column 4 (term) is empty; expected a term id")),
            _no_eco(),
            (~date.str.contains(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T.*)?$"),
             pl.format("column 9 (date) is '{}'; expected YYYY-MM-DD", date)),
        ),
        db=gene.str.extract("^([^:]*):"), id=gene.str.extract("^[^:]*:(.*)$"),
        qualifier=pl.when(negation == "").then("c3").otherwise(negation + "|" + pl.col("c3")),
        term="c4", references="c5", stated=pl.col("c6").str.to_uppercase(), other_taxon="c8",
        date=date.str.slice(0, 10).str.replace_all("-", ""), by="c10",
        extensions="c11", properties="c12", **{"with": "c7"},
    )  # fmt: skip


def _no_eco() -> tuple[pl.Expr, pl.Expr]:
    eco = pl.col("c6")
    words = pl.format("column 6 (evidence) is '{}'; expected a class of ECO, ECO:0000314", eco)
    return ~eco.str.contains(r"(?i)^ECO:[0-9]+$"), words
