"""Genotype tables as they are published: each known by its header, all read into one frame.

A form says which cell of a row is which field. Strains are crossed: the deleted genes of a row are
those of its query strain and that of its array strain. All rows are parsed at once, by column.
"""

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from data_specs.errors import InputError
from data_specs.genotype_tables.cells import (
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
from data_specs.genotype_tables.headers import (
    Form,
    count_numbers,
    folded,
    known_forms,
    numeric_columns,
    recognise,
)

# Calls a function with every tuple of arguments; results come in the order of these.
Each = Callable[[Callable[..., Any], Sequence[Any]], list[Any]]
# What can be wrong with a row, the first that holds, and the reason that it is counted under.
PROBLEMS = {
    "columns": "malformed",
    "gene": "malformed",
    "repeated_gene": "repeated_gene",
    "missing_phenotype": "missing_phenotype",
    "number": "malformed",
}
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
    joined by `|`, null where there are none.
    """

    frame: pl.DataFrame
    rows: int  # all rows, kept and dropped
    dropped: dict[str, int]  # rows that could not be read, by reason
    complaint: str | None  # about the first of them: what, where, what to do


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


def read_piece(piece: Piece, form: Form, control_gene: str | None = None) -> Genotypes:
    """Read the genotypes of a piece of a file; rows that cannot be read are counted by reason.

    Args:
        piece: of the file.
        form: of the file.
        control_gene: a deletion of it in a query strain is no deletion.

    Raises:
        InputError: the piece is damaged.
    """
    rows = read_rows(piece)
    parsed = _parse(rows, form, control_gene)
    bad = parsed.filter(pl.col("problem").is_not_null())
    dropped = dict.fromkeys(PROBLEMS.values(), 0)
    for problem, count in bad["problem"].value_counts().iter_rows():
        dropped[PROBLEMS[problem]] += count
    good = parsed.filter(pl.col("problem").is_null())
    return Genotypes(
        frame=good.select("genes", "query", *form.phenotypes),
        rows=rows.height,
        dropped={reason: count for reason, count in dropped.items() if count},
        complaint=None if bad.is_empty() else _complaint(piece, bad.row(0, named=True), form),
    )


def _parse(chunk: pl.DataFrame, form: Form, control_gene: str | None) -> pl.DataFrame:
    """Parse rows `[N]` to `row`, `cells`, `genes`, `query`, phenotypes, `problem` (or null)."""
    rows = chunk.select("row", cells_of(chunk, form.separator))
    columns = pl.lit(len(form.header))
    if form.name == "dcell":
        columns = cell(0).cast(pl.Int64, strict=False) + 2
    names, query = _names(rows, form, control_gene)
    genes, repeated, unfit = _in_order(names, _STRAIN_GENE if form.strains else _GENE)
    texts = rows.select(cell(at).alias(name) for name, at in form.phenotypes.items())
    phenotypes = texts.select(number(pl.all()))
    blank = phenotypes.select(pl.all().is_null())  # few, and only they are looked at again
    missing = [blank[name] & is_missing(texts[name]) for name in form.phenotypes]
    odd = functools.reduce(operator.or_, (b & ~m for b, m in zip(blank, missing, strict=True)))
    width = rows.select(pl.col("cells").list.len().cast(pl.Int64).ne_missing(columns)).to_series()
    problem = (
        pl.when(width)
        .then(pl.lit("columns"))
        .when(unfit)
        .then(pl.lit("gene"))
        .when(repeated)
        .then(pl.lit("repeated_gene"))
        .when(missing[0])
        .then(pl.lit("missing_phenotype"))
        .when(odd)
        .then(pl.lit("number"))
    )
    return rows.with_columns(phenotypes, genes=genes, query=query, problem=problem)


def _names(
    rows: pl.DataFrame, form: Form, control_gene: str | None
) -> tuple[list[pl.Series], pl.Series]:
    """Names of the deleted genes as they stand, list[str] `[N]` each, and query keys, str `[N]`."""
    listed = pl.col("id").str.split("|").list.eval(pl.element().str.strip_chars())
    if form.strains:
        in_strain = pl.col("id").str.replace(r"_[^_]*$", "").str.split("+")
        query = _taken_apart(rows, form.strains[0], in_strain, control_gene)
        array = _taken_apart(rows, form.strains[1], in_strain, None)
        return [query["names"], array["names"]], query["key"]
    if form.query is not None:
        key = _taken_apart(rows, form.query, listed, control_gene)["key"]
    else:
        key = pl.Series([None], dtype=pl.String).new_from_index(0, rows.height)
    if form.name == "dcell":
        inner = (pl.col("cells").list.len().cast(pl.Int64) - 2).clip(0)
        names = pl.col("cells").list.slice(1, inner)
    elif folded(form.header[form.genes[0]]) == "genes":
        names = listed
        rows = rows.select(id=_filled(form.genes[0]))
    else:
        names = pl.concat_list([_filled(at) for at in form.genes]).list.drop_nulls()
    return [rows.select(names).to_series()], key


def _filled(at: int) -> pl.Expr:
    return pl.when(~is_missing(cell(at))).then(cell(at))


def _taken_apart(
    rows: pl.DataFrame, at: int, names: pl.Expr, control_gene: str | None
) -> pl.DataFrame:
    """Sorted `names` of a cell, list[str] `[N]`, without the control, and their `key`, str `[N]`.

    There are far fewer strains than rows: each is taken apart once.
    """
    ids = rows.select(id=cell(at).fill_null(""))
    names = names.list.sort()
    if control_gene is not None:
        names = names.list.eval(pl.element().filter(pl.element() != control_gene))
    strains = ids.unique().with_columns(names=names)
    key = pl.col("names").list.join("|")
    strains = strains.with_columns(key=pl.when(key != "").then(key))
    return ids.join(strains, on="id", how="left", maintain_order="left")


def _in_order(names: Sequence[pl.Series], pattern: str) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Join and sort the names of every row, given as one or more list[str] `[N]`.

    Returns:
        The sorted names, list[str] `[N]`; whether one occurs twice, bool `[N]`; whether one does
        not fit `pattern`, bool `[N]`.
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
    unfit[owners[(~known.str.contains(pattern)).to_numpy()[codes]]] = True
    offsets = np.concatenate([[0], np.cumsum(np.sum(sizes, axis=0))])
    lists = pa.LargeListArray.from_arrays(offsets, known.gather(codes).to_arrow())
    return pl.Series("genes", lists), pl.Series(repeated), pl.Series(unfit)


def _complaint(piece: Piece, row: Mapping[str, Any], form: Form) -> str:
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
            found, expected = f"genes {row['genes']}", "each gene once"
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
