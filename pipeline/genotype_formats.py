"""Genotype tables as they are published: each known by its header, all read into one frame.

A form says which cell of a row is which field. Strains are crossed: the deleted genes of a row are
those of its query strain and that of its array strain. All rows are parsed at once, by column.
"""

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from data_specs.errors import InputError
from data_specs.naming import Naming
from pipeline.dask import Each
from pipeline.genotype_cells import (
    MISSING,
    Piece,
    below,
    cell,
    cells_of,
    is_missing,
    number,
    pieces_of,
    read_head,
    read_rows,
    row_in_file,
)
from pipeline.genotype_headers import (
    Form,
    count_numbers,
    folded,
    known_forms,
    numeric_columns,
    recognise,
)

# What can be wrong with a row, the first that holds, and the reason that it is counted under.
PROBLEMS = {
    "columns": "malformed",
    "gene": "malformed",
    "repeated_gene": "repeated_gene",
    "missing_phenotype": "missing_phenotype",
    "number": "malformed",
}
_AS_WRITTEN = Naming()
Ints = npt.NDArray[np.int64]
_GENE = r"^[^\s|]+$"
_STRAIN_GENE = r"^[^\s|_]+$"  # `_` ends the names in a strain id: `YAR002W+YDL227C_tm3180`


@dataclass(frozen=True, slots=True)
class GenotypeFile:
    """A file of a known form, in pieces that hold rows of genotypes only."""

    path: Path
    form: Form
    pieces: tuple[Piece, ...]

    @property
    def phenotypes(self) -> tuple[str, ...]:
        """Their names, the primary one first."""
        return tuple(self.form.phenotypes)


@dataclass(frozen=True, slots=True)
class Genotypes:
    """The genotypes of a piece: `frame` has `genes`, `query`, then float64 phenotypes.

    `genes` list[str], sorted, each once; `query` the sorted genes deleted in the query strain
    joined by `|`, null where there are none. Both are what the names in the piece mean.
    """

    frame: pl.DataFrame
    rows: int  # all rows, kept and dropped
    dropped: dict[str, int]  # rows that could not be read, by reason
    complaint: str | None  # about the first of them: what, where, what to do
    names: dict[str, int]  # as written in kept rows, and how often
    same_gene: int  # kept rows that name a gene twice, which counts once
    control_met: bool  # whether a query strain has a deletion of the control gene


def open_file(path: Path, scratch: Path, piece_bytes: int, each: Each) -> GenotypeFile:
    """Find out what form a file has, and cut it into pieces.

    Args:
        path: text (plain or gzipped), Parquet, or a workbook whose first sheet is the table.
        scratch: folder that a gzipped text is unpacked into.
        piece_bytes: size of a piece.
        each: who looks at the pieces; the columns of a plain table are told by all of them.

    Raises:
        InputError: an unreadable or empty file, or an unknown header.
    """
    pieces = pieces_of(path, scratch, piece_bytes)
    rows = read_head(pieces[0])
    if rows.is_empty():
        raise InputError(f"{path}: the file is empty; expected a genotype table. {known_forms()}")
    form = recognise(path, rows)
    if form.header_row >= 0:
        pieces = below(pieces, form.header_row)
    if form.name == "plain":
        counts = each(_count_numbers, [(piece, form) for piece in pieces])
        form = replace(form, phenotypes=numeric_columns(path, form, counts))
    return GenotypeFile(path, form, tuple(pieces))


def _count_numbers(piece: Piece, form: Form) -> dict[int, tuple[int, int]]:
    return count_numbers(read_rows(piece), form)


def read_piece(piece: Piece, form: Form, naming: Naming = _AS_WRITTEN) -> Genotypes:
    """Read the genotypes of a piece of a file; rows that cannot be read are counted by reason.

    Args:
        piece: of the file.
        form: of the file.
        naming: what names mean.

    Raises:
        InputError: the piece is damaged.
    """
    rows = read_rows(piece)
    parsed, names = _parse(rows, form, naming)
    bad = parsed.filter(pl.col("problem").is_not_null())
    dropped = dict.fromkeys(PROBLEMS.values(), 0)
    for problem, count in bad["problem"].value_counts().iter_rows():
        dropped[PROBLEMS[problem]] += count
    good = parsed.filter(pl.col("problem").is_null())
    return Genotypes(
        frame=good.select("genes", "query", *form.phenotypes),
        rows=rows.height,
        dropped={reason: count for reason, count in dropped.items() if count},
        complaint=_complaint(piece, bad.row(0, named=True), form, naming) if bad.height else None,
        names=names,
        same_gene=int(good["repeated"].sum()),
        control_met=bool(parsed["control"].any()),
    )


def _parse(chunk: pl.DataFrame, form: Form, naming: Naming) -> tuple[pl.DataFrame, dict[str, int]]:
    """Parse rows `[N]` to `row`, `cells`, `genes`, `query`, phenotypes, `problem` (or null).

    Further columns tell whether a gene is `repeated`, and whether the query had the `control`. The
    dict has the names in rows without a problem, and how often each is there.
    """
    rows = chunk.select("row", cells_of(chunk, form.separator))
    columns = pl.lit(len(form.header))
    if form.name == "dcell":
        columns = cell(0).cast(pl.Int64, strict=False) + 2
    names, query = _names(rows, form, naming)
    lists = _in_order(names, _STRAIN_GENE if form.strains else _GENE, naming)
    texts = rows.select(cell(at).alias(name) for name, at in form.phenotypes.items())
    phenotypes = texts.select(number(pl.all()))
    blank = phenotypes.select(pl.all().is_null())  # few, and only they are looked at again
    missing = [blank[name] & is_missing(texts[name]) for name in form.phenotypes]
    odd = functools.reduce(operator.or_, (b & ~m for b, m in zip(blank, missing, strict=True)))
    width = rows.select(pl.col("cells").list.len().cast(pl.Int64).ne_missing(columns)).to_series()
    problem = (
        pl.when(width)
        .then(pl.lit("columns"))
        .when(lists.unfit)
        .then(pl.lit("gene"))
        .when(lists.repeated & (not naming.merge))
        .then(pl.lit("repeated_gene"))
        .when(missing[0])
        .then(pl.lit("missing_phenotype"))
        .when(odd)
        .then(pl.lit("number"))
    )
    parsed = rows.with_columns(
        phenotypes, genes=lists.genes, repeated=lists.repeated, query=query["key"],
        control=query["control"], problem=problem,
    )  # fmt: skip
    return parsed, lists.names_in(parsed["problem"].is_null())


def _names(rows: pl.DataFrame, form: Form, naming: Naming) -> tuple[list[pl.Series], pl.DataFrame]:
    """Names of the deleted genes as they stand, list[str] `[N]` each, and the query strains `[N]`.

    These have a `key` (str or null), and tell whether the `control` gene was there (bool).
    """
    listed = pl.col("id").str.split("|").list.eval(pl.element().str.strip_chars())
    if form.strains:
        in_strain = pl.col("id").str.replace(r"_[^_]*$", "").str.split("+")
        query = _taken_apart(rows, form.strains[0], in_strain, naming)
        array = _taken_apart(rows, form.strains[1], in_strain, _AS_WRITTEN)
        return [query["names"], array["names"]], query
    if form.query is not None:
        query = _taken_apart(rows, form.query, listed, naming)
    else:
        query = rows.select(pl.lit(None, pl.String).alias("key"), "row")
        query = query.with_columns(control=pl.lit(False))
    if form.name == "dcell":
        inner = (pl.col("cells").list.len().cast(pl.Int64) - 2).clip(0)
        names = pl.col("cells").list.slice(1, inner)
    elif folded(form.header[form.genes[0]]) == "genes":
        names = listed
        rows = rows.select(id=_filled(form.genes[0]))
    else:
        names = pl.concat_list([_filled(at) for at in form.genes]).list.drop_nulls()
    return [rows.select(names).to_series()], query


def _filled(at: int) -> pl.Expr:
    return pl.when(~is_missing(cell(at))).then(cell(at))


def _taken_apart(rows: pl.DataFrame, at: int, names: pl.Expr, naming: Naming) -> pl.DataFrame:
    """The strains in a cell: `names` (list[str] `[N]`) as they stand, sorted, less the control's.

    `control` (bool `[N]`) tells whether that was there; `key` (str `[N]`) has the genes that the
    names mean. There are far fewer strains than rows: each is taken apart once.
    """
    ids = rows.select(id=cell(at).fill_null(""))
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
class _Lists:
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


def _in_order(names: Sequence[pl.Series], pattern: str, naming: Naming) -> _Lists:
    """Find what the names of every row, given as one or more list[str] `[N]`, mean; join and sort.

    A name that does not match `pattern` is none.
    """
    # As whole numbers: sorting lists of strings takes a hundred times as long.
    sizes = [part.list.len().fill_null(0).to_numpy().astype(np.int64) for part in names]
    flat = [part.filter(part.list.len() > 0).explode().fill_null("") for part in names]
    known = pl.concat([part.unique() for part in flat]).unique().sort()
    owners = np.concatenate([np.repeat(np.arange(len(size)), size) for size in sizes])
    codes = np.concatenate([_ranks(part, known) for part in flat])
    meant = pl.Series([naming.gene(name) for name in known], dtype=pl.String)
    genes = meant.unique().sort()
    base = max(genes.len(), 1)
    ranked = owners * base + _ranks(meant, genes)[codes]
    ranked.sort()  # by row, then by gene
    repeated, unfit = np.zeros((2, names[0].len()), dtype=bool)
    again = ranked == np.concatenate([[-1], ranked[:-1]])
    repeated[ranked[again] // base] = True
    unfit[owners[(~known.str.contains(pattern)).to_numpy()[codes]]] = True
    rows, ranks = np.divmod(ranked[~again], base)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(unfit)))])
    lists = pl.Series(
        "genes", pa.LargeListArray.from_arrays(offsets, genes.gather(ranks).to_arrow())
    )
    return _Lists(lists, pl.Series(repeated), pl.Series(unfit), known, owners, codes)


def _ranks(names: pl.Series, known: pl.Series) -> Ints:
    """The place of every name `[M]` among the known ones, which are sorted."""
    ranks: Ints = names.cast(pl.Enum(known)).to_physical().to_numpy().astype(np.int64)
    return ranks


def _complaint(piece: Piece, row: Mapping[str, Any], form: Form, naming: Naming) -> str:
    """Say what is wrong with a row, where, and what to do."""
    cells = [(cell or "").strip() for cell in row["cells"]]
    match row["problem"]:
        case "columns" if form.name == "dcell":
            found = f"'{' '.join(cells)}'"
            expected = "the number of genes n, then n genes, then the score"
        case "columns":
            found, expected = f"{len(cells)} columns", f"{len(form.header)}, as in the header"
        case "gene" if form.strains:
            found = f"strain ids {[cells[at] for at in form.strains]}"
            expected = "gene names joined by '+' before the only '_', as in YAL001C+YBR123W_tm12"
        case "gene":
            found, expected = f"gene names {row['genes']}", "names without white space, none empty"
        case "repeated_gene":
            one = pl.DataFrame({"cells": [row["cells"]], "row": [row["row"]]})
            named = sorted(name for part in _names(one, form, naming)[0] for name in part[0])
            genes = [naming.gene(name) for name in named]
            twice = next(gene for gene in genes if genes.count(gene) > 1)
            found = f"genes {named}" + (f", two of which are {twice}" if named != genes else "")
            expected = "each gene once, or genotypes.same_gene=merge to take it once"
        case _:
            name, at = next(
                (name, at)
                for name, at in form.phenotypes.items()
                if row[name] is None and (at == form.primary or cells[at].lower() not in MISSING)
            )
            found = f"'{form.header[at] if form.header else name}' is '{cells[at]}'"
            expected = "a finite number"
    where = f"{piece.named}:{row_in_file(piece, row['row'])}"
    return (
        f"{where}: found {found}; expected {expected}. Correct the row, or set "
        "genotypes.on_bad_row: skip to count such rows instead."
    )
