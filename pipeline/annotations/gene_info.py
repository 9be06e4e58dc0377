"""Files that complete annotations: GPI those of GPAD, `genes_to_disease.txt` those of diseases.

GPAD has no symbols, synonyms and taxa of genes. Read are GPI 1.1 (the database in the header), 1.2
and 2.0: https://geneontology.org/docs/gene-product-information-gpi-format-2.0/
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from data_specs.errors import InputError
from data_specs.raw_files import read_text
from pipeline.annotations.gaf import split_lines

# One row a gene: its database and id, and what fills the columns 3, 10, 11, 12 and 13 of a GAF.
GENES = dict.fromkeys(("db", "id", "symbol", "gene_name", "synonyms", "type", "taxon"), pl.String)
# One row a gene of a disease.
CAUSES = dict.fromkeys(("disease", "gene", "symbol"), pl.String)


@dataclass(frozen=True, slots=True)
class GeneInfo:
    """What further files say of genes: `GENES` of GPI files, `CAUSES` of diseases; both sorted."""

    products: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=GENES))
    causes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CAUSES))

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats of annotation files that they complete."""
        gpad = ("GPAD 1", "GPAD 2") if self.products.height else ()
        return (*gpad, *(("HPO diseases",) if self.causes.height else ()))


NO_GENES = GeneInfo()

_VERSION = re.compile(r"^!\s*gpi-version:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_CAUSES = re.compile(r"ncbi_gene_id\tgene_symbol\tassociation_type\tdisease_id")
_NAMESPACE = re.compile(r"^!\s*namespace:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
# By the begin of a version: how many columns it has, and where symbol, name, synonyms, type and
# taxon are.
_COLUMNS = {
    "1.1": (9, (2, 3, 4, 5, 6)),
    "1.2": (10, (3, 4, 5, 6, 7)),
    "2.": (11, (2, 3, 4, 5, 6)),
}


def read_gene_info(paths: Sequence[Path]) -> GeneInfo:
    """Read GPI files and HPO's `genes_to_disease.txt`, plain or packed.

    A gene that several lines of GPI describe has the first symbol; the others are synonyms of it.

    Raises:
        InputError: another format or version, or a line without an id or a symbol; says where.
    """
    texts = [(path, read_text(path)) for path in paths]
    of_diseases = [_causes(text, path) for path, text in texts if _CAUSES.match(text)]
    of_gpi = [_products(text, path) for path, text in texts if not _CAUSES.match(text)]
    info = NO_GENES
    if of_diseases:
        causes = pl.concat(of_diseases).unique().sort(*CAUSES)
        info = replace(info, causes=causes)
    return replace(info, products=_united(pl.concat(of_gpi))) if of_gpi else info


def _united(lines: pl.DataFrame) -> pl.DataFrame:
    split = pl.col("symbols").list.slice(1).list.concat(pl.col("synonyms").str.split("|"))
    names = split.list.eval(pl.element().str.strip_chars()).list.unique(maintain_order=True)
    return (
        lines.group_by("db", "id", maintain_order=True)
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


def _causes(text: str, path: Path) -> pl.DataFrame:
    lines = split_lines(text, 5, comment="#").filter(pl.col("c1") != "ncbi_gene_id")
    table = lines.select(
        "line", disease="c4", gene=pl.col("c1").str.replace("^NCBIGene:", ""), symbol="c2"
    ).with_columns(pl.col(*CAUSES).fill_null(""))  # fmt: skip
    bad = table.filter(~pl.col("disease").str.contains(":") | (pl.col("gene") == ""))
    if bad.height:
        raise InputError(
            f"{path}:{bad['line'][0]}: found no gene with a disease; expected the gene's id in "
            "column 1 and DB:ID of the disease in column 4. Correct the line."
        )
    return table.select(*CAUSES)


def _products(text: str, path: Path) -> pl.DataFrame:
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
