"""The alleles of the deleted genes of every row, where a table of strains tells them.

An allele goes by the name that the table gives it (`cdc28-4`); where a table has no such column, or
an empty cell, the id of a strain tells whether it is temperature-sensitive (`tsq508`, `tsa100`) or
has less mRNA (`damp`). All else is a deletion, `Δ`, whatever it is called: `vam3`, `vam3Δ`, by
another name of the gene, or in the deletion collections (`sn514`, `dma25`) by an old one. So the
deletion of a gene is one allele in queries, arrays and all tables.
"""

import re

import polars as pl

from data_specs.genotype_tables.cells import cell
from data_specs.genotype_tables.headers import Form
from data_specs.naming import Naming

DELETION = "Δ"
BETWEEN = "/"  # the alleles of a gene that a row names twice
_BEHIND = "\x1f"  # stands between a gene and its allele; sorts before all that a name may hold
_IN_ID = re.compile(r"_((?:ts|damp)[^_]*)$", re.IGNORECASE)
_DELETION_ID = re.compile(r"_(?:sn|dma)[0-9]+$", re.IGNORECASE)
_KINDS = {
    "damp": re.compile(r"damp", re.IGNORECASE),
    "ts": re.compile(r"(?:^|-)ts[qa]?[0-9]*$", re.IGNORECASE),
}
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]+")


def alleles_of_rows(
    rows: pl.DataFrame, form: Form, naming: Naming, genes: pl.Series, repeated: pl.Series
) -> pl.Series:
    """The alleles of genes, in the order of these, list[str] `[N]`; empty where no table has them.

    Args:
        rows: with `cells`.
        form: of their table.
        naming: the meaning of names.
        genes: of each row, resolved and sorted, list[str] `[N]`.
        repeated: whether the row names a gene twice, bool `[N]`.
    """
    if form.strains is None:
        return pl.Series([[]], dtype=pl.List(pl.String)).new_from_index(0, rows.height)
    marked = _marked_of_rows(rows, form, naming)
    before, behind = rf"^[^{_BEHIND}]*{_BEHIND}", rf"{_BEHIND}[^{_BEHIND}]*$"
    marked = marked.list.eval(pl.element().str.replace(behind, ""))
    alleles = marked.list.eval(pl.element().str.replace(before, ""))
    if not repeated.any():
        return alleles
    joined = [
        _joined(own_marked, own_genes) if twice else own
        for own, own_marked, own_genes, twice in zip(
            alleles.to_list(), marked.to_list(), genes.to_list(), repeated, strict=True
        )
    ]
    return pl.Series(joined, dtype=pl.List(pl.String))


def kinds_of_rows(rows: pl.DataFrame, form: Form, naming: Naming) -> pl.DataFrame:
    """The kinds of the alleles: `row` (counted from 0), `gene` and `kind`, one row a deleted gene.

    A kind is `deletion`, `ts`, `damp` or `other`. The id of a strain tells it, and where it does
    not, the name of the allele (`cdc28-ts`, `rpb1-damp`).

    Args:
        rows: with `cells`.
        form: of their table, which is one of strains.
        naming: the meaning of names.
    """
    marked = _marked_of_rows(rows, form, naming).alias("marked")
    table = pl.DataFrame(marked).with_row_index("row").explode("marked").drop_nulls()
    parts = pl.col("marked").str.split(_BEHIND)
    return table.select("row", gene=parts.list.first(), kind=parts.list.last())


def _marked_of_rows(rows: pl.DataFrame, form: Form, naming: Naming) -> pl.Series:
    """Genes, their alleles and the kinds of these, with `_BEHIND` between, sorted; list[str]."""
    assert form.strains is not None
    columns = form.alleles or (None, None)
    query = _of_strains(rows, form.strains[0], columns[0], naming, is_query=True)
    array = _of_strains(rows, form.strains[1], columns[1], naming, is_query=False)
    return pl.select(pl.concat_list(query, array).list.sort()).to_series()


def _joined(marked: list[str], genes: list[str]) -> list[str]:
    pairs = [text.partition(_BEHIND)[::2] for text in marked]
    return [BETWEEN.join(sorted({a for own, a in pairs if own == gene})) for gene in genes]


def _of_strains(
    rows: pl.DataFrame, strain: int, allele: int | None, naming: Naming, *, is_query: bool
) -> pl.Series:
    """Genes of the strains in a column, their alleles and kinds, marked; list[str] `[N]`.

    There are far fewer strains than rows: each is taken apart once.
    """
    named = cell(strain).fill_null("")
    called = pl.lit("") if allele is None else cell(allele).fill_null("")
    texts = rows.select(id=named, allele=called)
    strains = texts.unique()
    marked = [_marked(text, name, naming, is_query) for text, name in strains.iter_rows()]
    known = strains.with_columns(marked=pl.Series(marked, dtype=pl.List(pl.String)))
    return texts.join(known, on=["id", "allele"], how="left", maintain_order="left")["marked"]


def _marked(strain: str, allele: str, naming: Naming, is_query: bool) -> list[str]:
    names = re.sub(r"_[^_]*$", "", strain).split("+")
    called = allele.split("+")
    if len(called) != len(names):  # one name for a strain of several genes, or none
        called = [allele] * len(names)
    deleted = len(names) == 1 and _DELETION_ID.search(strain)
    # The id of a strain of several genes does not tell which of them it is about.
    in_id = _IN_ID.search(strain) if len(names) == 1 else None
    found = []
    for name, own in zip(names, called, strict=True):
        if not (is_query and naming.is_control(name)):
            gene = naming.gene(name)
            own = _CONTROL_CHARACTERS.sub(" ", own).strip() or (in_id[1] if in_id else DELETION)
            if (deleted and "-" not in own) or _is_deletion(own, name, gene, naming):
                own = DELETION
            kind = "deletion" if own == DELETION else _kind(own, in_id[1] if in_id else "")
            found.append(f"{gene}{_BEHIND}{own}{_BEHIND}{kind}")
    return found


def _kind(called: str, in_id: str) -> str:
    """The kind of an allele by the id of its strain, or its name, other than `DELETION`."""
    if called.endswith(("Δ", "∆")):  # of a name that is not known for the gene
        return "deletion"
    for text in (in_id, called):
        for kind, words in _KINDS.items():
            if words.search(text):
                return kind
    return "other"


def _is_deletion(called: str, name: str, gene: str, naming: Naming) -> bool:
    """Whether an allele is called as its gene is."""
    bare = called.removesuffix("Δ").removesuffix("∆")
    known = ("", name.casefold(), gene.casefold())
    return bare.casefold() in known or naming.gene(bare) == gene
