"""The meanings of the names in genotype tables: the account of a build."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from data_specs.cell_lines import names_of_inputs
from data_specs.errors import InputError
from data_specs.gene_names import MAPPED, GeneNames, counts
from data_specs.naming import Naming
from data_specs.parameters import Genotypes as GenotypesConfig
from pipeline.genotypes.merging import added


def read_naming(
    names: Path, settings: GenotypesConfig, *, graded: bool = False, channels: Sequence[str] = ()
) -> Naming:
    """How the names in genotype tables are taken.

    Args:
        names: table of the stage `annotations` (`data_specs.tables.GENE_NAMES`).
        settings: of the stage `genotypes`.
        graded: whether genes have states.
        channels: of genes, each of which then is an input a channel.
    """
    rows = pl.read_parquet(names, glob=False).select("name", "gene", "kind").rows()
    if channels:
        rows = names_of_inputs(rows, channels)
    known = GeneNames(rows, exact=settings.names == "exact")
    states = {str(kind): state for kind, state in settings.states.items()}
    return Naming(
        known,
        settings.control_gene,
        merge=settings.same_gene == "merge",
        alleles=settings.alleles == "keep",
        states=states if graded else None,
    )


def table_of(names: Iterable[Mapping[str, int]], known: GeneNames) -> pl.DataFrame:
    """The meaning of each name (`data_specs.tables.RESOLVED_NAMES`).

    Args:
        names: as written, and how often, of each piece of the tables.
        known: the names of genes.
    """
    total = added(names)
    found = {name: known.resolve(name) for name in sorted(total)}
    rows = [(name, meaning.gene, meaning.how, total[name]) for name, meaning in found.items()]
    schema = {"name": pl.String, "gene": pl.String, "how": pl.String, "rows": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def account_of(table: pl.DataFrame, known: GeneNames, same_gene: int) -> dict[str, Any]:
    """The ledger's `names`: their numbers by kind, and the number of rows with renamed ones.

    Args:
        table: see `table_of`.
        known: the names of genes.
        same_gene: rows that name a gene twice and were taken all the same.
    """
    account = counts(table["how"])
    if known.mapping:
        account["renamed_by_mapping"] = table.filter(how=MAPPED).height
    if same_gene:
        account["same_gene_rows"] = same_gene
    return account


def require_control(naming: Naming, met: bool, names: Iterable[str]) -> None:
    """Refuse a control gene that was asked for and is nowhere.

    Args:
        naming: with the control gene.
        met: whether a query strain had a deletion of it.
        names: all names of deleted genes.

    Raises:
        InputError: names the nearest name that there is.
    """
    control, names = naming.control_gene, sorted(names)
    if control in (None, GenotypesConfig().control_gene) or met or not names:
        return
    if any(naming.is_control(name) for name in names):
        return
    assert control is not None
    folded = {name.casefold(): name for name in reversed(names)}
    near = difflib.get_close_matches(control.casefold(), sorted(folded), n=1, cutoff=0.0)
    raise InputError(
        f"genotypes.control_gene is '{control}', which is in no strain and no genotype of the "
        f"tables; the nearest name there is '{folded[near[0]]}'. Correct it, "
        "or set genotypes.control_gene=none."
    )
