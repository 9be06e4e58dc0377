"""GPI files: symbols, synonyms and taxa of genes, which GPAD files do not have.

Read are GPI 1.1 (the database in the header), 1.2 and 2.0:
https://geneontology.org/docs/gene-product-information-gpi-format-2.0/
"""

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from data_specs.errors import InputError
from data_specs.raw_files import read_text
from pipeline.annotations.gaf import split_lines

# One row a gene: its database and id, and what fills the columns 3, 10, 11, 12 and 13 of a GAF.
GENES = dict.fromkeys(("db", "id", "symbol", "gene_name", "synonyms", "type", "taxon"), pl.String)
NO_GENES = pl.DataFrame(schema=GENES)

_VERSION = re.compile(r"^!\s*gpi-version:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_NAMESPACE = re.compile(r"^!\s*namespace:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
# By the begin of a version: how many columns it has, and where symbol, name, synonyms, type and
# taxon are.
_COLUMNS = {
    "1.1": (9, (2, 3, 4, 5, 6)),
    "1.2": (10, (3, 4, 5, 6, 7)),
    "2.": (11, (2, 3, 4, 5, 6)),
}


def read_gene_info(paths: Sequence[Path]) -> pl.DataFrame:
    """Read GPI files, plain or packed.

    A gene that several lines describe has the first symbol; the others are synonyms of it.

    Returns:
        `GENES`, sorted by database and id.

    Raises:
        InputError: no GPI, another version, or a line without an id or a symbol; says where.
    """
    if not paths:
        return NO_GENES
    split = pl.col("symbols").list.slice(1).list.concat(pl.col("synonyms").str.split("|"))
    names = split.list.eval(pl.element().str.strip_chars()).list.unique(maintain_order=True)
    return (
        pl.concat([_read(path) for path in paths])
        .group_by("db", "id", maintain_order=True)
        .agg(
            pl.col("symbol", "gene_name", "type", "taxon").first(),
            pl.col("symbol").unique(maintain_order=True).alias("symbols"),
            pl.col("synonyms").str.join("|"),
        )
        .with_columns(
            synonyms=names.list.eval(pl.element().filter(pl.element() != "")).list.join("|")
        )
        .select(*GENES)
        .sort("db", "id")
    )


def _read(path: Path) -> pl.DataFrame:
    text = read_text(path)
    version = _version(text, path)
    most, (symbol, name, synonyms, kind, taxon) = _COLUMNS[version]
    expected = "an id"
    if version == "1.1":
        found = _NAMESPACE.search(text)
        if found is None:
            raise InputError(
                f"{path}: GPI 1.1 without a line '!namespace: DB' in its header, which says of "
                "which database the ids are. Add it."
            )
        database, gene = pl.lit(found[1]), pl.col("c1")
    elif version == "1.2":
        database, gene = pl.col("c1"), pl.col("c2")
    else:
        expected = "an id of the form DB:ID"
        database = pl.col("c1").str.extract("^([^:]+):")
        gene = pl.col("c1").str.extract("^[^:]+:(.+)$")
    table = split_lines(text, most).select(
        "line", db=database, id=gene, symbol=f"c{symbol}", gene_name=f"c{name}",
        synonyms=f"c{synonyms}", type=f"c{kind}", taxon=f"c{taxon}",
    ).with_columns(pl.col(*GENES).fill_null(""))  # fmt: skip
    unnamed = (pl.col("id") == "") | (pl.col("db") == "")
    bad = table.filter(unnamed | (pl.col("symbol") == ""))
    if bad.height:
        row = bad.row(0, named=True)
        missing = "a symbol" if row["id"] and row["db"] else expected
        raise InputError(
            f"{path}:{row['line']}: found no gene with {missing}; expected {most} tab-separated "
            f"columns, the symbol in column {symbol}. Correct the line."
        )
    return table.select(*GENES)


def _version(text: str, path: Path) -> str:
    found = _VERSION.search(text)
    for version in _COLUMNS:
        if found is not None and found[1].startswith(version):
            return version
    raise InputError(
        f"{path}: {f'is GPI {found[1]}' if found else 'has no line !gpi-version'}; expected GPI "
        "1.1, 1.2 or 2.0 with its version in the header. Give the GPI file that belongs to the "
        "GPAD file."
    )
