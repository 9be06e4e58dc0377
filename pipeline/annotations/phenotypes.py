"""HPO's annotation files: `genes_to_phenotype.txt` of genes, `phenotype.hpoa` of diseases.

A phenotype that no patient had (qualifier NOT, frequency `0/12`, `0%` or HP:0040285) is negated.
The formats: https://hpo.jax.org/data/annotation-format
"""

import re

import polars as pl

from pipeline.annotations.gaf import first_fault, in_form, split_lines, wrong_number

_GENES = re.compile(r"^(?:#\s*Format:\s*entrez-gene-id|ncbi_gene_id\tgene_symbol\thpo_id)", re.I)
_DISEASES = re.compile(r"^#?\s*Database_?ID\tDisease_?Name\tQualifier\tHPO_ID", re.I)
_NEVER = r"(?i)^(?:HP:0040285|0+(?:\.0*)?\s*/\s*[0-9]+|0+(?:\.0*)?\s*%)$"
DISEASE_COLUMNS = 12


def format_of(line: str) -> str | None:
    """The format that a line of column names begins, if it is one of these."""
    if _GENES.match(line):
        return "HPO genes"
    return "HPO diseases" if _DISEASES.match(line) else None


def read_genes(text: str) -> pl.DataFrame:
    """The lines of `genes_to_phenotype.txt` in the form of `pipeline.annotations.gaf`.

    Columns are gene id, symbol, HPO id, name, frequency (or two of them), and then the disease.
    """
    lines = _lines(text, 9, "ncbi_gene_id")
    fault = first_fault(
        wrong_number(4, 9),
        (pl.col("c1") == "", pl.lit("column 1 (gene id) is empty; expected one")),
        _no_term("c3", 3),
    )
    never = pl.any_horizontal(pl.col("c5", "c6").str.contains(_NEVER))
    return in_form(
        lines, fault, c1=pl.lit("NCBIGene"), c2="c1", c3="c2",
        c4=pl.when(never).then(pl.lit("NOT")).otherwise(pl.lit("")), c5="c3",
        c11="c2", c6=pl.when(pl.col("columns") == 6).then("c6").otherwise("c9"),
    )  # fmt: skip


def read_diseases(text: str, causes: pl.DataFrame) -> pl.DataFrame:
    """The lines of `phenotype.hpoa` in the form of `pipeline.annotations.gaf`.

    Args:
        text: of the file.
        causes: columns `disease`, `gene` and `symbol`: a disease's line counts for each of its
            genes, and for none if it has none. Without a row, the diseases stand for genes.
    """
    lines = _lines(text, DISEASE_COLUMNS, "database_id")
    fault = first_fault(
        wrong_number(DISEASE_COLUMNS, DISEASE_COLUMNS),
        (~pl.col("c1").str.contains(":"),
         pl.format("column 1 (disease) is '{}'; expected DB:ID", pl.col("c1"))),
        _no_term("c4", 4),
    )  # fmt: skip
    lines = lines.with_columns(fault=fault)
    gene: pl.Expr | str = "c1"
    symbol: pl.Expr | str = "c1"
    if causes.height:
        lines = lines.join(causes, left_on="c1", right_on="disease", how="left",
                           maintain_order="left")  # fmt: skip
        gene, symbol = pl.col("gene").fill_null(""), pl.col("symbol").fill_null("")
    never = pl.col("c8").str.contains(_NEVER)
    # When a line was first written; later dates are those of revisions.
    dates = pl.col("c12").str.extract_all(r"\[[0-9]{4}-[0-9]{2}-[0-9]{2}\]").list.min()
    return in_form(
        lines, pl.col("fault"), c1=pl.col("c1").str.extract("^([^:]*):"), c2=gene, c3=symbol,
        c4=pl.when(never).then(pl.col("c3") + "|NOT").otherwise("c3"), c5="c4", c6="c5",
        c7=pl.col("c6").str.to_uppercase(), c9="c11", c10="c2", c11=symbol,
        c14=dates.str.replace_all(r"[^0-9]", "").fill_null(""), c15="c12",
    )  # fmt: skip


def _lines(text: str, columns: int, first_column: str) -> pl.DataFrame:
    lines = split_lines(text, columns, comment="#")
    lines = lines.with_columns(pl.col("^c[0-9]+$").fill_null(""))
    return lines.filter(pl.col("c1").str.to_lowercase() != first_column)


def _no_term(column: str, number: int) -> tuple[pl.Expr, pl.Expr]:
    term = pl.col(column)
    words = pl.format("column " + f"{number} (HPO id) is '{{}}'; expected HP:0001250", term)
    return ~term.str.contains(r"^HP:[0-9]+$"), words
