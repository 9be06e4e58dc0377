"""The names of the deleted genes of every row, told apart by column and not row by row."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from data_specs.genotype_tables.cells import LISTED, cell
from data_specs.genotype_tables.headers import Form
from data_specs.genotype_tables.words import is_no_gene
from data_specs.genotype_text import SEPARATORS, names_in

# A name holds a letter or a digit, and no separator; a spreadsheet's errors begin with '#'.
_GENE = r"^[^\s|;,+\x1f#][^\s|;,+\x1f]*$"
_STRAIN_GENE = r"^[^\s|;,_\x1f#][^\s|;,_\x1f]*$"  # `_` ends the names: `YAR002W+YDL227C_tm3180`


def names_of_rows(
    rows: pl.DataFrame, form: Form, control_gene: str | None, whole: frozenset[str]
) -> tuple[list[pl.Series], pl.Series]:
    """Names of the deleted genes as they stand, list[str] `[N]` each, and query keys, str `[N]`."""
    if form.strains:
        in_strain = pl.col("id").str.replace(r"_[^_]*$", "").str.split("+")
        query = _taken_apart(rows, form.strains[0], in_strain, control_gene)
        array = _taken_apart(rows, form.strains[1], in_strain, None)
        return [query["names"], array["names"]], query["key"]
    if form.query is not None:
        listed = pl.col("id").str.strip_prefix(LISTED).str.replace_all(LISTED, "|", literal=True)
        listed = listed.str.split("|").list.eval(pl.element().str.strip_chars())
        key = _taken_apart(rows, form.query, listed, control_gene)["key"]
    else:
        key = pl.Series([None], dtype=pl.String).new_from_index(0, rows.height)
    if form.name == "dcell":
        inner = (pl.col("cells").list.len().cast(pl.Int64) - 2).clip(0)
        return [rows.select(pl.col("cells").list.slice(1, inner)).to_series()], key
    if form.is_list:
        return [split(rows.select(_filled(form.genes[0])).to_series(), whole)], key
    columns = [_filled(at).str.strip_prefix(LISTED).str.strip_chars() for at in form.genes]
    return [rows.select(pl.concat_list(columns).list.drop_nulls()).to_series()], key


def _filled(at: int) -> pl.Expr:
    return pl.when(~is_no_gene(cell(at))).then(cell(at))


def split(texts: pl.Series, whole: frozenset[str]) -> pl.Series:
    """Split texts `[N]` as `genotype_text.names_in` does, or at `LISTED`; null has no name."""
    listed = texts.str.starts_with(LISTED)
    marked = texts.str.strip_prefix(LISTED).str.replace_all("|", LISTED, literal=True)
    other = ~listed & ~texts.str.contains("|", literal=True) & texts.str.contains(r"[;,+\s]")
    frame = pl.DataFrame({"text": texts, "marked": marked, "listed": listed})
    if other.any():
        frame = frame.with_columns(marked=_by_the_first(other))
    if whole:
        special = ~listed & texts.str.to_lowercase().str.contains_any(sorted(whole))
        if special.any():
            given = texts.filter(special).unique().drop_nulls().to_list()
            known = {text: LISTED.join(names_in(text, whole)) for text in given}
            apart = pl.col("text").replace_strict(known, default=pl.col("marked"))
            frame = frame.with_columns(marked=pl.when(special).then(apart).otherwise("marked"))
    # As it stands, an item of a list that holds a separator is no name.
    as_listed = pl.col("text").str.strip_prefix(LISTED)
    marked = frame.select(pl.when("listed").then(as_listed).otherwise("marked")).to_series()
    names = marked.str.split(LISTED).list.eval(pl.element().str.strip_chars())
    return names.alias("names")


def _by_the_first(other: pl.Series) -> pl.Expr:
    """Put `LISTED` for the first of the separators that is in a text, where `other` says so."""
    text, marked = pl.col("text"), pl.col("marked")
    blanks = text.str.replace_all(r"\s+", LISTED)
    chosen = pl.when(text.str.contains(r"[;,+]")).then(marked).otherwise(blanks)
    for separator in reversed(SEPARATORS[1:]):
        has = text.str.contains(separator, literal=True)
        put = text.str.replace_all(separator, LISTED, literal=True)
        chosen = pl.when(has).then(put).otherwise(chosen)
    return pl.when(other).then(chosen).otherwise(marked)


def is_no_name(form: Form, whole: frozenset[str]) -> pl.Expr:
    """Tell the texts `name` that are no name of a gene in tables of a form."""
    name = pl.col("name")
    fits = name.str.contains(_STRAIN_GENE if form.strains else _GENE)
    fits &= name.str.contains(r"[\p{L}\p{N}]")
    known = name.str.to_lowercase().is_in(sorted(whole)) & ~name.str.contains(r"[|\t\x1f]")
    return ~(fits | known)


def _taken_apart(
    rows: pl.DataFrame, at: int, names: pl.Expr, control_gene: str | None
) -> pl.DataFrame:
    """Sorted `names` of a cell, list[str] `[N]`, without the control, and their `key`, str `[N]`.

    There are far fewer strains than rows: each is taken apart once.
    """
    ids = rows.select(id=_filled(at).fill_null(""))
    names = names.list.sort()
    if control_gene is not None:
        names = names.list.eval(pl.element().filter(pl.element() != control_gene))
    strains = ids.unique().with_columns(names=names)
    key = pl.col("names").list.join("|")
    strains = strains.with_columns(key=pl.when(key != "").then(key))
    return ids.join(strains, on="id", how="left", maintain_order="left")


def in_order(
    names: Sequence[pl.Series], is_no_name: pl.Expr
) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Join and sort the names of every row, given as one or more list[str] `[N]`.

    Returns:
        The sorted names, list[str] `[N]`; whether one occurs twice, bool `[N]`; whether one is
        none, as `is_no_name` says of the column `name`, bool `[N]`.
    """
    # As whole numbers: sorting lists of strings takes a hundred times as long.
    sizes = [part.list.len().fill_null(0).to_numpy().astype(np.int64) for part in names]
    flat = [part.filter(part.list.len() > 0).explode().fill_null("") for part in names]
    known = pl.concat([part.unique() for part in flat]).unique().sort()
    base = max(known.len(), 1)
    ranked = np.concatenate(
        [
            np.repeat(np.arange(len(size)) * base, size)
            + part.cast(pl.Enum(known)).to_physical().to_numpy()
            for size, part in zip(sizes, flat, strict=True)
        ]
    )
    ranked.sort()  # by row, then by name
    owners, codes = np.divmod(ranked, base)
    repeated, unfit = np.zeros((2, names[0].len()), dtype=bool)
    repeated[owners[1:][ranked[1:] == ranked[:-1]]] = True
    unfit[owners[known.to_frame("name").select(is_no_name).to_series().to_numpy()[codes]]] = True
    offsets = np.concatenate([[0], np.cumsum(np.sum(sizes, axis=0))])
    lists = pa.LargeListArray.from_arrays(offsets, known.gather(codes).to_arrow())
    return pl.Series("genes", lists), pl.Series(repeated), pl.Series(unfit)
