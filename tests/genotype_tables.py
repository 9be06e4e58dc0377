"""Whole genotype tables for tests: what the stage does by piece and by part, at once."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from data_specs.errors import InputError
from data_specs.gene_names import GeneNames
from data_specs.genotype_tables import Form, GenotypeFile, Genotypes, open_file, read_piece
from data_specs.naming import Naming
from data_specs.parameters.sections import Dask
from data_specs.parameters.sections import Genotypes as GenotypesConfig
from data_specs.workers import workers
from pipeline.genotypes import account as genotype_account
from pipeline.genotypes import merging as genotype_merging
from pipeline.genotypes import stage as genotypes


@dataclass
class GenotypeTable:
    """All pieces of a file."""

    path: Path
    form: str
    rows: int
    frame: pl.DataFrame
    phenotypes: tuple[str, ...]
    dropped: dict[str, int]
    left_out: dict[str, str] = field(default_factory=dict)
    not_measured: dict[str, dict[str, int]] = field(default_factory=dict)


def read(
    path: Path,
    *,
    control_gene: str | None = None,
    on_bad_row: str = "error",
    piece_bytes: int = 2**26,
    phenotypes: Sequence[str] | None = (),
    known: Sequence[str] = (),
) -> GenotypeTable:
    """Read all genotypes of a file."""
    naming = Naming(GeneNames((), known, exact=True), control_gene)
    with tempfile.TemporaryDirectory() as scratch, workers(Dask(), 1) as each:
        file = open_file(path, Path(scratch), piece_bytes, each, phenotypes)
        pieces = [read_piece(piece, file.form, naming) for piece in file.pieces]
    if not any(piece.rows for piece in pieces):
        raise InputError(f"{path}: a header without a row below it; expected genotypes")
    complaints = [piece.complaint for piece in pieces if piece.complaint]
    if complaints and on_bad_row == "error":
        raise InputError(complaints[0])
    return GenotypeTable(
        path=path,
        form=file.form.name,
        rows=sum(piece.rows for piece in pieces),
        frame=pl.concat([piece.frame for piece in pieces]),
        phenotypes=file.phenotypes,
        dropped=genotype_merging.added(piece.dropped for piece in pieces),
        left_out=file.left_out,
        not_measured=genotype_account.words_of(pieces),
    )


def read_with(text: str, names: GeneNames, **naming: Any) -> Genotypes:
    """Read a table of one piece whose names mean what `names` says."""
    with tempfile.TemporaryDirectory() as scratch, workers(Dask(), 1) as each:
        path = Path(scratch) / "table.tsv"
        path.write_text(text, encoding="utf-8")
        file = open_file(path, Path(scratch), 2**26, each)
        [piece] = file.pieces
        return read_piece(piece, file.form, Naming(names, **naming))


def merge(
    tables: Sequence[tuple[Any, GenotypeTable]], settings: GenotypesConfig
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Merge tables in one part; the genotypes and the ledger."""
    files = [
        (given, GenotypeFile(t.path, Form(t.form, phenotypes=dict.fromkeys(t.phenotypes, 0)), ()))
        for given, t in tables
    ]
    phenotypes = genotypes.phenotypes_of([file for _, file in files])
    names = [str(file.path) for _, file in files]
    frames, runs = [], []
    for given, table in tables:
        controls = [settings.control_gene] if settings.control_gene else []
        rows, dropped = genotype_merging.usable(table.frame, given, controls, settings.orders)
        dropped = genotype_merging.added([table.dropped, dropped])
        frames.append(rows)
        runs.append(
            [genotype_account.SortedPiece(Path(), table.rows, rows.height, dropped, None, [], {})]
        )
    genotype_account.require_some(runs, settings)
    rows = pl.concat(frames, how="diagonal")
    found, also_in_test, noise = genotype_merging.merge(rows, phenotypes)
    part = genotype_account.part_of(found, rows.height, also_in_test, noise)
    return found, genotype_account.ledger_of(names, files, runs, [part], len(part.genes))
