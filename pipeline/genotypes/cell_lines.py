"""Cell lines and their drug responses as a plain genotype table.

A row of the responses is a cell line, a drug and a number. A drug is a phenotype: rows of one cell
line with several drugs are never averaged. Repeats of one drug are rows of their own, which merge
as any repeats do; on each stand the cell line's means of the other drugs that are taken.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from data_specs.cell_lines import CellFiles
from data_specs.cell_tables import altered_genes
from data_specs.errors import InputError
from data_specs.genotype_tables import is_missing
from data_specs.parameters import Genotypes as GenotypesConfig
from data_specs.parameters import no_such
from data_specs.raw_files import read_text

RESPONSE = "response"  # of a table whose drug is a placeholder
_PLACEHOLDERS = ("", "-", "drug", "none", "NA")
_COLUMNS = (3, 4)  # cell line, drug, response; NeST-VNN adds the data set
_SHOWN = 12


def read_responses(
    path: Path, known: Sequence[str], settings: GenotypesConfig
) -> tuple[pl.DataFrame, dict[str, int]]:
    """The responses: `cell`, `drug` and `response`, and counts of dropped rows by reason.

    Args:
        path: of the rows.
        known: names of cell lines.
        settings: `on_bad_row`.

    Raises:
        InputError: a row that cannot be read, unless such rows are skipped.
    """
    cells_known, dropped = set(known), {"malformed": 0, "not_measured": 0}
    rows: list[tuple[str, str, float]] = []
    for line_number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        fault = _fault(cells, cells_known)
        if fault and not rows and not any(dropped.values()) and _is_header(cells):
            continue
        if fault and settings.on_bad_row == "error":
            raise InputError(
                f"{path}:{line_number}: {fault}. Correct the row, or set genotypes.on_bad_row: "
                "skip to count such rows instead."
            )
        if fault:
            dropped["malformed"] += 1
        elif _missing(cells[2]):
            dropped["not_measured"] += 1
        else:
            rows.append((cells[0], cells[1], float(cells[2])))
    schema = {"cell": pl.String, "drug": pl.String, "response": pl.Float64}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    return table, {reason: count for reason, count in dropped.items() if count}


def _is_header(cells: Sequence[str]) -> bool:
    return len(cells) in _COLUMNS and not _is_number(cells[2])


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _missing(text: str) -> bool:
    return bool(is_missing(pl.Series([text]))[0]) if not _is_number(text) else False


def _fault(cells: Sequence[str], known: set[str]) -> str | None:
    if len(cells) not in _COLUMNS:
        return f"found {len(cells)} columns; expected cell line, drug and response, tab-separated"
    if not (_is_number(cells[2]) or _missing(cells[2])):
        return f"found the response '{cells[2][:20]}'; expected a number"
    if cells[0] not in known:
        return f"found the cell line '{cells[0][:40]}', which cell2ind.txt does not have"
    return None


def choose_drugs(path: Path, responses: pl.DataFrame, asked: Sequence[str]) -> list[str]:
    """The drugs that are taken, the one to predict first.

    Args:
        path: for messages.
        responses: `drug` of every row.
        asked: `genotypes.drugs`.

    Raises:
        InputError: none was asked for and there are several, or there is no such drug.
    """
    counts = responses["drug"].value_counts(name="rows")
    counts = counts.sort("rows", "drug", descending=[True, False])
    drugs = counts["drug"].to_list()
    for drug in asked:
        if drug not in drugs:
            raise InputError(f"{path}: genotypes.drugs: {no_such('drug', drug, sorted(drugs))}")
    if asked or len(drugs) < 2:
        return list(asked) or drugs
    shown = ", ".join(f"{drug} ({rows:,} rows)" for drug, rows in counts.head(_SHOWN).iter_rows())
    more = f" and {len(drugs) - _SHOWN:,} more" if len(drugs) > _SHOWN else ""
    raise InputError(
        f"{path}: responses to {len(drugs):,} drugs: {shown}{more}. Rows of one cell line and "
        "several drugs are different phenotypes: name the drug to predict in genotypes.drugs, or "
        "several, each of which becomes a phenotype."
    )


def plain_table(
    responses: pl.DataFrame, drugs: Sequence[str], altered: dict[str, list[str]]
) -> pl.DataFrame:
    """A row for each measurement of the first drug: `genes`, `query` and a column a drug.

    `query` names the cell line.
    """
    first, *others = drugs
    table = responses.filter(drug=first).select("cell", pl.col("response").alias(_called(first)))
    for drug in others:
        means = responses.filter(drug=drug).group_by("cell").agg(
            pl.col("response").sort().mean().alias(_called(drug))
        )  # fmt: skip
        table = table.join(means, on="cell", how="left", maintain_order="left")
    lists = pl.Series([altered[cell] for cell in table["cell"]], dtype=pl.List(pl.String))
    query = "cell:" + table["cell"].str.replace_all("|", "/", literal=True)
    return table.drop("cell").select(lists.alias("genes"), query.alias("query"), pl.all())


def _called(drug: str) -> str:
    return RESPONSE if drug in _PLACEHOLDERS else drug


def as_plain(
    path: Path, files: CellFiles, channels: Sequence[str], settings: GenotypesConfig, to: Path
) -> dict[str, Any]:
    """Write responses as a plain genotype table in Parquet.

    Returns:
        The account: `rows` of the file, those `dropped` by reason, cell lines and genes with an
        alteration, the `drugs` that are taken with their rows, and the channels.

    Raises:
        InputError: see the parts.
    """
    altered = altered_genes(files, channels)
    responses, dropped = read_responses(path, list(altered), settings)
    if responses.is_empty():
        raise InputError(f"{path}: no response that was measured; expected rows of cell line, "
                         "drug and response, tab-separated")  # fmt: skip
    drugs = choose_drugs(path, responses, settings.drugs)
    taken = responses.filter(pl.col("drug").is_in(drugs))
    without_first = taken.join(taken.filter(drug=drugs[0]), on="cell", how="anti").height
    table = plain_table(taken, drugs, altered)
    table.write_parquet(to)
    counts = {
        "other_drug": responses.height - taken.height,
        "cell_line_without_first_drug": without_first,
    }
    known = set(table["query"])
    return {
        "rows": responses.height + sum(dropped.values()),
        "dropped": dropped | {reason: count for reason, count in counts.items() if count},
        "cell_lines": len(known),
        "drugs": {drug: taken.filter(drug=drug).height for drug in drugs},
        "channels": list(channels) or list(files.alterations),
        "apart": bool(channels),
    }
