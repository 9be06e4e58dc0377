"""The names of the deleted genes of every row, separated by column and not row by row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from data_specs.genotype_tables.cells import LISTED, cell
from data_specs.genotype_tables.headers import Form
from data_specs.genotype_tables.words import is_no_gene
from data_specs.genotype_text import SEPARATORS, names_in
from data_specs.naming import Naming
from data_specs.spreadsheets import unguarded

# A name holds a letter or a digit, and no separator; a spreadsheet's errors begin with '#'.
_GENE = r"^[^\s|;,+\x1f#][^\s|;,+\x1f]*$"
_STRAIN_GENE = r"^[^\s|;,_\x1f#][^\s|;,_\x1f]*$"  # `_` ends the names: `YAR002W+YDL227C_tm3180`


AS_WRITTEN = Naming()
Ints = npt.NDArray[np.int64]


def names_of_rows(
    rows: pl.DataFrame, form: Form, naming: Naming
) -> tuple[list[pl.Series], pl.DataFrame]:
    """Names of the deleted genes as they stand, list[str] `[N]` each, and the query strains `[N]`.

    These have a `key` (str or null), and tell whether the `control` gene was there (bool).
    """
    if form.strains:
        in_strain = pl.col("id").str.replace(r"_[^_]*$", "").str.split("+")
        query = _taken_apart(rows, form.strains[0], in_strain, naming)
        array = _taken_apart(rows, form.strains[1], in_strain, AS_WRITTEN)
        return [query["names"], array["names"]], query
    if form.query is not None:
        listed = pl.col("id").str.strip_prefix(LISTED).str.replace_all(LISTED, "|", literal=True)
        listed = listed.str.split("|").list.eval(pl.element().str.strip_chars())
        query = _taken_apart(rows, form.query, listed, naming)
    else:
        query = rows.select("row", key=pl.lit(None, pl.String), control=pl.lit(False))
    if form.name == "dcell":
        inner = (pl.col("cells").list.len().cast(pl.Int64) - 2).clip(0)
        return [rows.select(pl.col("cells").list.slice(1, inner)).to_series()], query
    if form.is_list:
        texts = rows.select(_filled(form.genes[0])).to_series()
        return [split(texts, naming.names.whole)], query
    columns = [_filled(column).str.strip_prefix(LISTED).str.strip_chars() for column in form.genes]
    return [rows.select(pl.concat_list(columns).list.drop_nulls()).to_series()], query


def _filled(column: int) -> pl.Expr:
    return pl.when(~is_no_gene(cell(column))).then(unguarded(cell(column)))


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


def _taken_apart(rows: pl.DataFrame, column: int, names: pl.Expr, naming: Naming) -> pl.DataFrame:
    """The strains in a cell: `names` (list[str] `[N]`) as they stand, sorted, less the control's.

    `control` (bool `[N]`) tells whether that was there; `key` (str `[N]`) has the genes that the
    names mean. There are far fewer strains than rows: each is taken apart once.
    """
    ids = rows.select(id=_filled(column).fill_null(""))
    strains = ids.unique().with_columns(names=names.list.sort())
    known = strains["names"].explode().drop_nulls().unique().to_list()
    genes = {name: gene for name in known if (gene := naming.gene(name)) != name}
    controls = [name for name in known if naming.is_control(name)]
    control = pl.element().is_in(pl.Series(controls, dtype=pl.String).implode())
    strains = strains.with_columns(
        control=pl.col("names").list.eval(control).list.any(),
        names=pl.col("names").list.eval(pl.element().filter(~control)),
    )
    key = pl.col("names")
    if genes:
        key = key.list.eval(pl.element().replace(genes)).list.unique().list.sort()
    key = key.list.join("|")
    strains = strains.with_columns(key=pl.when(key != "").then(key))
    return ids.join(strains, on="id", how="left", maintain_order="left")


@dataclass(frozen=True, slots=True)
class GeneLists:
    """The genes of rows `[N]`, and the M names that they are from.

    Attributes:
        genes: sorted, each once, list[str] `[N]`.
        repeated: whether one is named twice, bool `[N]`.
        unfit: whether a name is none, bool `[N]`.
        known: the distinct names.
        owners, codes: `[M]` the row of each name, and which of the distinct ones it is.
    """

    genes: pl.Series
    repeated: pl.Series
    unfit: pl.Series
    known: pl.Series
    owners: Ints
    codes: Ints

    def names_in(self, rows: pl.Series) -> dict[str, int]:
        """The names in some rows, bool `[N]`, and how often each is there."""
        codes = self.codes[rows.to_numpy()[self.owners]]
        counts = np.bincount(codes, minlength=self.known.len()).tolist()
        return {name: count for name, count in zip(self.known, counts, strict=True) if count}


def in_order(names: Sequence[pl.Series], is_no_name: pl.Expr, naming: Naming) -> GeneLists:
    """Resolve the names of every row, given as one or more list[str] `[N]`; join and sort them.

    A name is none where `is_no_name` says so of the column `name`.
    """
    # As whole numbers: sorting lists of strings takes a hundred times as long.
    sizes = [part.list.len().fill_null(0).to_numpy().astype(np.int64) for part in names]
    flat = [part.filter(part.list.len() > 0).explode().fill_null("") for part in names]
    known = pl.concat([part.unique() for part in flat]).unique().sort()
    owners = np.concatenate([np.repeat(np.arange(len(size)), size) for size in sizes])
    codes = np.concatenate([_indices(part, known) for part in flat])
    meant = pl.Series([naming.gene(name) for name in known], dtype=pl.String)
    genes = meant.unique().sort()
    base = max(genes.len(), 1)
    keys = owners * base + _indices(meant, genes)[codes]
    keys.sort()  # by row, then by gene
    repeated, unfit = np.zeros((2, names[0].len()), dtype=bool)
    again = keys == np.concatenate([[-1], keys[:-1]])
    repeated[keys[again] // base] = True
    unfit[owners[known.to_frame("name").select(is_no_name).to_series().to_numpy()[codes]]] = True
    rows, indices = np.divmod(keys[~again], base)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(unfit)))])
    lists = pl.Series(
        "genes", pa.LargeListArray.from_arrays(offsets, genes.gather(indices).to_arrow())
    )
    return GeneLists(lists, pl.Series(repeated), pl.Series(unfit), known, owners, codes)


def _indices(names: pl.Series, known: pl.Series) -> Ints:
    """The place of every name `[M]` among the known ones, which are sorted."""
    indices: Ints = names.cast(pl.Enum(known)).to_physical().to_numpy().astype(np.int64)
    return indices
