"""The states of the genes of every row, where a table or its strains tell how much of each is left.

A plain table may have a column `states` beside `genes`, with a number for each of them in the order
in which they are written; an empty cell means that all are deleted. In a table of strains the kind
of an allele tells its state, as `genotypes.states` says: `ts` (temperature-sensitive), `damp`
(less mRNA) or `other` (such as a point mutation). A deletion has the state 0, and so has a kind
that is not mentioned.

States are float32, as the store holds them.
"""

import polars as pl

from data_specs.gene_states import DELETED, LARGEST_STATE, NEAREST, WILD_TYPE
from data_specs.genotype_tables.alleles import kinds_of_rows
from data_specs.genotype_tables.cells import cell
from data_specs.genotype_tables.headers import Form
from data_specs.genotype_tables.names import split
from data_specs.genotype_tables.words import is_missing
from data_specs.naming import Naming

STATES_TYPE = pl.List(pl.Float32)


def written_states(rows: pl.DataFrame, form: Form, names: pl.Series) -> tuple[pl.Series, pl.Series]:
    """States as a column of the table has them, in the order of the names as they are written.

    Args:
        rows: with `cells`.
        form: of their table, which has the column.
        names: of the genes of each row as written, list[str] `[N]`.

    Returns:
        list[f32] `[N]`, and whether a row's are unfit, bool `[N]`: other than one number a name, of
        0 to `LARGEST_STATE` and not that of the wild type.
    """
    assert form.states is not None
    texts = rows.select(states=cell(form.states)).to_series()
    counts = names.list.len().fill_null(0).alias("count")
    empty = is_missing(texts)
    parsed = split(texts.fill_null(""), frozenset()).list.eval(
        pl.element().cast(pl.Float64, strict=False)
    )
    zeros = pl.lit(0.0).repeat_by(pl.col("count"))
    frame = pl.DataFrame({"parsed": parsed, "empty": empty, "count": counts})
    states = frame.select(pl.when("empty").then(zeros).otherwise("parsed")).to_series()
    element = pl.element()
    fits = element.is_between(DELETED, LARGEST_STATE) & ((element - WILD_TYPE).abs() > NEAREST)
    all_fit = states.list.eval(fits.fill_null(False)).list.all()
    unfit = ~all_fit | (states.list.len().cast(pl.Int64) != counts.cast(pl.Int64))
    return states.cast(STATES_TYPE), unfit


def states_of_rows(
    rows: pl.DataFrame,
    form: Form,
    naming: Naming,
    names: pl.Series,
    genes: pl.Series,
    written: tuple[pl.Series, pl.Series] | None,
) -> pl.Series:
    """The states of genes, in the order of these, list[f32] `[N]`; of one named twice the lower.

    Args:
        rows: with `cells`.
        form: of their table.
        naming: the meaning of names, and the states of kinds of alleles.
        names: of the genes of each row as written, list[str] `[N]`, of a table with the column.
        genes: of each row, resolved and sorted, list[str] `[N]`.
        written: `written_states`, of a table with the column; rows that are unfit get zeros.
    """
    if written is not None:
        states, unfit = written
        table = pl.DataFrame({"gene": names, "state": states}).with_row_index("row")
        table = table.filter(~unfit & (pl.col("state").list.len() > 0)).explode("gene", "state")
        known = table["gene"].unique().to_list()
        meant = {name: naming.gene(name) for name in known}
        table = table.with_columns(pl.col("gene").replace_strict(meant, return_dtype=pl.String))
    elif form.strains is not None and naming.states:
        table = kinds_of_rows(rows, form, naming)
        of_kind = {"deletion": float(DELETED)} | dict(naming.states)
        state = pl.col("kind").replace_strict(of_kind, default=float(DELETED))
        table = table.with_columns(state=state.cast(pl.Float32))
    else:
        table = pl.DataFrame(schema={"row": pl.UInt32, "gene": pl.String, "state": pl.Float32})
    lowest = table.group_by("row", "gene").agg(pl.col("state").min()).sort("row", "gene")
    lists = lowest.group_by("row", maintain_order=True).agg("state")
    frame = pl.DataFrame({"count": genes.list.len().fill_null(0)}).with_row_index("row")
    frame = frame.join(lists, on="row", how="left", maintain_order="left")
    zeros = pl.lit(0.0, pl.Float32).repeat_by(pl.col("count"))
    fits = pl.col("state").list.len() == pl.col("count")
    chosen = pl.when(fits.fill_null(False)).then("state").otherwise(zeros)
    return frame.select(chosen.cast(STATES_TYPE)).to_series()
