"""Genotype tables as they are published: each known by its header, all read into one frame.

A form says which cell of a row is which field. Strains are crossed: the deleted genes of a row are
those of its query strain and that of its array strain. All rows are parsed at once, by column.
"""

import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from data_specs.gene_states import LARGEST_STATE
from data_specs.genotype_tables.alleles import alleles_of_rows
from data_specs.genotype_tables.cells import Piece, cell, cells_of, read_rows, row_in_file
from data_specs.genotype_tables.headers import Form
from data_specs.genotype_tables.names import AS_WRITTEN, in_order, is_no_name, names_of_rows
from data_specs.genotype_tables.states import states_of_rows, written_states
from data_specs.genotype_tables.words import NOT_MEASURED, expected_for, is_missing, number
from data_specs.naming import Naming
from data_specs.tables import ALLELES, STATES

# Faults of a row, of which the first counts, and the reason under which it is counted.
PROBLEMS = {
    "header": "malformed",
    "columns": "malformed",
    "gene": "malformed",
    "state": "malformed",
    "repeated_gene": "repeated_gene",
    "number": "malformed",
    "missing_phenotype": "missing_phenotype",
}


@dataclass(frozen=True, slots=True)
class Genotypes:
    """The genotypes of a piece: `frame` has `genes`, `query`, then float64 phenotypes.

    `genes` list[str], sorted, each once; `query` the sorted genes deleted in the query strain
    joined by `|`, null where there are none. Both are what the names in the piece mean. Where
    alleles or states are read there is `alleles` (`alleles.alleles_of_rows`) or `states`
    (`states.states_of_rows`), too.
    """

    frame: pl.DataFrame
    rows: int  # all rows, kept and dropped
    dropped: dict[str, int]  # rows that could not be read, by reason
    complaint: str | None  # about the first that is malformed: where, what was found and expected
    not_measured: dict[str, dict[str, int]]  # by phenotype: cells without a number, by their word
    names: dict[str, int]  # as written in kept rows, and how often
    same_gene: int  # kept rows that name a gene twice, which counts once
    control_met: bool  # whether a query strain has a deletion of the control gene


def read_piece(
    piece: Piece, form: Form, naming: Naming = AS_WRITTEN, *, as_written: bool = False
) -> Genotypes:
    """Read the genotypes of a piece of a file; rows that cannot be read are counted by reason.

    Args:
        piece: of the file.
        form: of the file.
        naming: the meaning of names.
        as_written: names as they stand and in that order, not what they mean; so are the states
            of a table with a column of them.

    Raises:
        InputError: the piece is damaged.
    """
    rows = read_rows(piece)
    parsed, not_measured, names = _parse(rows, form, naming, as_written)
    dropped = dict.fromkeys(PROBLEMS.values(), 0)
    for problem, count in parsed["problem"].drop_nulls().value_counts().iter_rows():
        dropped[PROBLEMS[problem]] += count
    malformed = parsed.filter(pl.col("problem") != "missing_phenotype")
    good = parsed.filter(pl.col("problem").is_null())
    columns = [name for name in ("genes", ALLELES, STATES, "query") if name in good.columns]
    return Genotypes(
        frame=good.select(*columns, *form.phenotypes),
        rows=rows.height,
        dropped={reason: count for reason, count in dropped.items() if count},
        complaint=(
            None
            if malformed.is_empty()
            else _complaint(piece, malformed.row(0, named=True), form, naming)
        ),
        not_measured=not_measured,
        names=names,
        same_gene=int(good["repeated"].sum()),
        control_met=bool(parsed["control"].any()),
    )


def _parse(
    chunk: pl.DataFrame, form: Form, naming: Naming, as_written: bool
) -> tuple[pl.DataFrame, dict[str, dict[str, int]], dict[str, int]]:
    """Parse rows `[N]` to `row`, `cells`, `genes`, `query`, phenotypes, `problem` (or null).

    Further columns tell whether a gene is `repeated`, and whether the query had the `control`.

    Also returns, by phenotype, the words that stand where nothing was measured, with their counts;
    and the names in rows without a problem, and how often each is there.
    """
    rows = chunk.select("row", cells_of(chunk, form.separator))
    columns = pl.lit(len(form.header))
    if form.name == "dcell":
        columns = cell(0).cast(pl.Int64, strict=False) + 2
    names, query = names_of_rows(rows, form, naming)
    lists = in_order(names, is_no_name(form, naming.names.whole), naming)
    genes = lists.genes
    listed = pl.select(
        pl.concat_list([pl.lit(part).fill_null(pl.lit([], pl.List(pl.String))) for part in names])
    ).to_series()
    if as_written:
        genes = listed
    none = pl.Series([False]).new_from_index(0, rows.height)
    written = written_states(rows, form, listed) if form.states is not None else None
    texts = rows.select(cell(column).alias(name) for name, column in form.phenotypes.items())
    phenotypes = texts.select(number(pl.all()))
    blank = phenotypes.select(pl.all().is_null())
    missing = {name: _is_missing(texts[name], blank[name]) for name in form.phenotypes}
    odd = functools.reduce(operator.or_, (blank[n] & ~missing[n] for n in missing), none)
    width = rows.select(pl.col("cells").list.len().cast(pl.Int64).ne_missing(columns)).to_series()
    again = rows.select(_is_header(form)).to_series() if form.header else none
    problem = (
        pl.when(again)
        .then(pl.lit("header"))
        .when(width)
        .then(pl.lit("columns"))
        .when(lists.unfit)
        .then(pl.lit("gene"))
        .when(none if written is None else written[1])
        .then(pl.lit("state"))
        .when(lists.repeated & (not naming.merge))
        .then(pl.lit("repeated_gene"))
        .when(odd)
        .then(pl.lit("number"))
        .when(next(iter(missing.values()), none))
        .then(pl.lit("missing_phenotype"))
    )
    parsed = rows.with_columns(
        phenotypes, genes=genes, repeated=lists.repeated, query=query["key"],
        control=query["control"], problem=problem,
    )  # fmt: skip
    if naming.alleles:
        alleles = alleles_of_rows(rows, form, naming, lists.genes, lists.repeated)
        parsed = parsed.with_columns(alleles=alleles)
    if as_written and written is not None:
        parsed = parsed.with_columns(states=written[0])
    elif naming.states is not None and not as_written:
        states = states_of_rows(rows, form, naming, listed, lists.genes, written)
        parsed = parsed.with_columns(states=states)
    read = pl.col("problem").is_null() | (pl.col("problem") == "missing_phenotype")
    is_read = parsed.select(read).to_series()
    words = {name: _counts(texts[name].filter(missing[name] & is_read)) for name in missing}
    not_measured = {name: counts for name, counts in words.items() if counts}
    return parsed, not_measured, lists.names_in(parsed["problem"].is_null())


def _is_missing(texts: pl.Series, blank: pl.Series) -> pl.Series:
    """Tell the cells that hold no measurement among those that are no number: few are looked at."""
    words = texts.filter(blank).unique()
    return blank & texts.is_in(words.filter(is_missing(words)).implode(), nulls_equal=True)


def _is_header(form: Form) -> pl.Expr:
    """Whether the cells of the genes are those of the header: two files were put together."""
    places = form.strains or form.genes
    return pl.all_horizontal(
        cell(column).eq_missing(pl.lit(form.header[column])) for column in places
    )


def _counts(words: pl.Series) -> dict[str, int]:
    counts = words.fill_null("").value_counts(name="count", sort=False).sort(words.name)
    return {word or "(empty)": count for word, count in counts.iter_rows()}


def _complaint(piece: Piece, row: Mapping[str, Any], form: Form, naming: Naming) -> str:
    """Describe the fault of a row, and its place."""
    cells = [(cell or "").strip() for cell in row["cells"]]
    match row["problem"]:
        case "header":
            found, expected = "the header once more", "a genotype"
        case "columns" if form.name == "dcell":
            found = f"'{' '.join(cells)}'"
            expected = "the number of genes n, then n genes, then the score"
        case "columns":
            found, expected = f"{len(cells)} columns", f"{len(form.header)}, as in the header"
        case "gene" if form.strains:
            found = f"strain ids {[cells[column] for column in form.strains]}"
            expected = "gene names joined by '+' before the only '_', as in YAL001C+YBR123W_tm12"
        case "gene" if form.genes and not form.is_list:
            found = f"gene names {[cells[column] for column in form.genes]}"
            expected = "one gene a column, or none"
        case "gene":
            found = f"gene names {row['genes']}"
            expected = (
                "names without white space, none empty, separated by one and the same of | ; , + "
                "(a name with a blank must be one that the annotations know)"
            )
        case "state":
            assert form.states is not None
            found = f"states '{cells[form.states]}' of the genes {row['genes']}"
            expected = (
                f"a number for each gene in its order, separated alike, from 0 (deleted) to "
                f"{LARGEST_STATE:g} and not 1, which is the wild type: omit such a gene"
            )
        case "repeated_gene":
            one = pl.DataFrame({"cells": [row["cells"]], "row": [row["row"]]})
            named = sorted(name for part in names_of_rows(one, form, naming)[0] for name in part[0])
            genes = [naming.gene(name) for name in named]
            twice = next(gene for gene in genes if genes.count(gene) > 1)
            found = f"genes {named}" + (f", two of which are {twice}" if named != genes else "")
            expected = "each gene once, or genotypes.same_gene=merge to take it once"
        case _:
            name, column = next(
                (name, column)
                for name, column in form.phenotypes.items()
                if row[name] is None and cells[column].lower() not in NOT_MEASURED
            )
            found = f"'{form.header[column] if form.header else name}' is '{cells[column]}'"
            expected = expected_for(cells[column])
            if form.name == "plain":
                expected += f". If '{name}' is no phenotype, name those to take in "
                expected += "genotypes.phenotypes"
    where = f"{piece.named}:{row_in_file(piece, row['row'])}"
    return f"{where}: found {found}; expected {expected}."
