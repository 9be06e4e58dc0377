"""Annotations of pathways: GMT, and Reactome's mappings such as `NCBI2Reactome.txt`.

A mapping has six columns: id of the gene, id of the pathway, address, name of the pathway, evidence
and species. Neither has symbols beside the ids, or dates: the columns of names all hold the id.
"""

import polars as pl

from pipeline.annotations.gaf import first_fault, in_form, split_lines, wrong_number
from pipeline.exchange import gmt

MAPPING_COLUMNS = 6
_STABLE_ID = r"^R-[A-Z]{3}-[0-9]+(?:\.[0-9]+)?$"


def read_gmt(text: str) -> tuple[pl.DataFrame, dict[str, str]]:
    """One line a gene of a set, in the form of `pipeline.annotations.gaf`, and the sets' names."""
    sets = gmt.parse(text)
    rows = [
        (s.line, gmt.fault_of(s), s.term, gene)
        for s in sets
        for gene in (s.genes or ("",))  # of a set without genes, its fault
    ]
    schema = {"line": pl.UInt32, "said": pl.String, "term": pl.String, "gene": pl.String}
    lines = pl.DataFrame(rows, schema=schema, orient="row")
    table = in_form(lines, pl.col("said"), c2="gene", c3="gene", c5="term", c11="gene")
    return table, {s.term: s.name for s in sets if s.name}


def is_mapping(cells: list[str]) -> bool:
    """Whether these are the cells of a line of a mapping."""
    return len(cells) == MAPPING_COLUMNS and cells[1].startswith("R-") and "://" in cells[2]


def read_mapping(text: str) -> tuple[pl.DataFrame, dict[str, str]]:
    """The lines of a mapping in the form of `pipeline.annotations.gaf`, and the pathways' names.

    The species stands where a GAF has the taxon.
    """
    lines = split_lines(text, MAPPING_COLUMNS, comment="#")
    lines = lines.with_columns(pl.col("^c[0-9]+$").fill_null(""))
    pathway = pl.col("c2")
    fault = first_fault(
        wrong_number(MAPPING_COLUMNS, MAPPING_COLUMNS),
        (pl.col("c1") == "", pl.lit("column 1 (id of the gene) is empty; expected one")),
        (
            ~pathway.str.contains(_STABLE_ID),
            pl.format("column 2 (pathway) is '{}'; expected an id such as R-HSA-73894", pathway),
        ),
    )
    code = pl.col("c5").str.to_uppercase()
    table = in_form(lines, fault, c2="c1", c3="c1", c5="c2", c7=code, c11="c1", c13="c6")
    return table, dict(lines.select("c2", "c4").unique().sort("c2", "c4").iter_rows())
