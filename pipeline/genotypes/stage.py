"""Stage `genotypes`: all given files as one table, one row a distinct set of deleted genes.

Rows of one gene set (repeats, other alleles, query and array exchanged) become one genotype with
the mean of each phenotype and its spread; with `genotypes.alleles: keep`, those of one gene set and
the same alleles; where genes have states, those with the same ones. What a file calls a gene is
looked up among the names that the annotations give it (`data_specs.gene_names`), so that two names
of one gene are one gene; whether it is annotated is asked where the hierarchy is known.

No table is ever whole in memory. Pieces of the files are parsed, sorted by gene set and written;
then ranges of gene sets are merged, each from all pieces, and written as the parts of the table.
"""

import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from data_specs.cell_lines import CellFiles, channels_of, gene_and_channel
from data_specs.errors import InputError
from data_specs.files import replacing_file, replacing_folder
from data_specs.genotype_tables import Form, GenotypeFile, Piece, open_file, read_piece, unknown
from data_specs.layout import DataLayout, write_json
from data_specs.parameters import Genotypes as GenotypesConfig
from data_specs.parameters import Parameters
from data_specs.tables import ALLELES, STATES, part_name, write_table
from data_specs.workers import Each, workers
from pipeline.genotypes import measurement_noise
from pipeline.genotypes.account import Part, SortedPiece, ledger_of, part_of, require_some, words_of
from pipeline.genotypes.cell_lines import as_plain
from pipeline.genotypes.merging import Given, added, genes_of, merge, usable
from pipeline.genotypes.resolved_names import account_of, read_naming, require_control, table_of
from pipeline.sources import input_files

SAMPLED = 64  # gene sets looked at for every part, to cut the table into parts of like size


def sort_piece(
    piece: Piece, form: Form, given: Given, settings: GenotypesConfig, names: Path, path: Path,
    graded: bool = False, channels: Sequence[str] = (),
) -> SortedPiece:  # fmt: skip
    """Parse a piece, drop rows that are no genotype to learn from, and write the rest sorted."""
    naming = read_naming(names, settings, graded=graded, channels=channels)
    read = read_piece(piece, form, naming)
    controls = {naming.gene(name) for name in read.names if naming.is_control(name)}
    rows, dropped = usable(read.frame, given, controls, settings.orders)
    rows = rows.sort("key")
    with replacing_file(path) as partial:
        rows.write_ipc(partial)
    step = max(1, settings.part_rows // SAMPLED)
    # Parts begin at gene sets: all alleles and states of one are in one part.
    only_genes = not naming.alleles and not graded
    keys = rows["key"] if only_genes else rows.select(genes_of(pl.col("key"))).to_series()
    sampled = keys.gather_every(step).to_list()
    dropped = added([read.dropped, dropped])
    return SortedPiece(
        path, read.rows, rows.height, dropped, read.complaint, sampled, read.not_measured,
        read.names, read.same_gene, read.control_met,
    )  # fmt: skip


def boundaries(pieces: Sequence[SortedPiece], part_rows: int) -> list[str]:
    """Keys at which the parts after the first begin; parts are of like size, not of the same."""
    parts = -(-sum(piece.kept for piece in pieces) // part_rows)
    keys = sorted(key for piece in pieces for key in piece.sampled)
    return sorted({keys[len(keys) * part // parts] for part in range(1, parts)} - {keys[0]})


def cuts(piece: Path, keys: Sequence[str]) -> list[int]:
    """Row numbers of a sorted piece at which the parts begin, and its end."""
    column = pl.scan_ipc(piece, glob=False).select("key").collect()["key"]
    starts = [int(column.search_sorted(key, side="left")) for key in keys]
    return [0, *starts, column.len()]


def merge_part(
    slices: Sequence[tuple[Path, int, int]],
    phenotypes: Sequence[str],
    path: Path,
    further: Sequence[str],
) -> Part:
    """Merge one range of gene sets, given as rows `start` to `stop` of pieces, and write it."""
    rows = pl.concat(
        [
            pl.scan_ipc(piece, glob=False).slice(start, stop - start).collect()
            for piece, start, stop in slices
        ],
        how="diagonal",
    )
    genotypes, also_in_test, noise = merge(rows, phenotypes, further)
    with replacing_file(path) as partial:
        write_table(genotypes, partial)
    return part_of(genotypes, rows.height, also_in_test, noise)


def phenotypes_of(files: Sequence[GenotypeFile], asked: Sequence[str] = ()) -> list[str]:
    """The phenotypes of any of the files, the common primary one first.

    Args:
        files: at least one.
        asked: names of the phenotypes to take, in this order; empty: all.

    Raises:
        InputError: no files, primary phenotypes of different names, or one that no file has.
    """
    if not files:
        raise InputError("no genotype file is given; name at least one in sources.genotypes")
    first = files[0]
    for file in files:
        if file.phenotypes[0] != first.phenotypes[0]:
            raise InputError(
                f"{file.path}: the primary phenotype is '{file.phenotypes[0]}', but in "
                f"{first.path} it is '{first.phenotypes[0]}'; expected one and the same measure. "
                "Rename or reorder the columns, or build them as separate data sets."
            )
    names = list(dict.fromkeys(name for file in files for name in file.phenotypes))
    for name in asked:
        if name not in names:
            columns = [c for file in files for c in (*file.phenotypes, *file.left_out)]
            near = unknown(name, list(dict.fromkeys(columns)))
            raise InputError(
                f"no genotype file has a column that genotypes.phenotypes names: {near}"
            )
    names.sort(key=lambda name: asked.index(name) if asked else 0)
    for name in names:
        if f"{name}_spread" in names:
            raise InputError(f"'{name}_spread' is what the spread of '{name}' is called; rename it")
    return names


def require_alleles(files: Sequence[GenotypeFile]) -> None:
    """Refuse to keep alleles that no file has.

    Raises:
        InputError: no file is a table of strains, or a phenotype goes by the column's name.
    """
    if not any(file.form.strains for file in files):
        forms = ", ".join(file.form.name for file in files)
        raise InputError(
            f"genotypes.alleles is 'keep', but no genotype file names strains (found {forms}); "
            "expected Costanzo, Kuzmin or tau-SGA tables. Set it to merge."
        )
    for file in files:
        if ALLELES in file.phenotypes:
            raise InputError(
                f"{file.path}: the phenotype '{ALLELES}' has the name of the column for allele "
                "names; rename it, or set genotypes.alleles to merge"
            )


def is_graded(files: Sequence[GenotypeFile], settings: GenotypesConfig) -> bool:
    """Whether genes have states: a file has a column of them, or kinds of alleles tell them.

    Raises:
        InputError: kinds of alleles are to tell them, but no file is a table of strains.
    """
    forms = ", ".join(file.form.name for file in files)
    if settings.states and not any(file.form.strains for file in files):
        raise InputError(
            "genotypes.states gives states of kinds of alleles, but no genotype file names "
            f"strains (found {forms}); expected Costanzo, Kuzmin or tau-SGA tables. Give each gene "
            "its state in a column 'states', or omit the parameter."
        )
    return bool(settings.states) or any(file.form.states is not None for file in files)


def run(parameters: Parameters, layout: DataLayout) -> None:
    """Write `genotypes.parquet`, `genes.parquet` and their ledger from the files of the sources.

    `gene_names.parquet` says what every name in them means.

    In the ledger, rows == sum(dropped) + merged + genotypes.

    Raises:
        InputError: a file that cannot be read, nothing left to learn from, or a control gene that
            was asked for and is nowhere.
    """
    settings, annotated = parameters.genotypes, layout.annotations / "names.parquet"
    roles = ("genotypes", "test_genotypes", "cells")
    train, test, cells = (input_files(layout, role) for role in roles)
    channels = channels_of(layout, apart=settings.channels == "apart")
    named: list[tuple[Given, tuple[str, Path]]] = [
        *(("train", file) for file in train), *(("test", file) for file in test)
    ]  # fmt: skip
    size = sum(path.stat().st_size for _, (_, path) in named)
    with (
        replacing_folder(layout.genotypes, layout.own("genotypes")) as folder,
        workers(parameters.dask, -(-size // settings.piece_bytes)) as each,
    ):
        folder.mkdir()
        scratch = (folder / "scratch").absolute()
        scratch.mkdir()
        table = (folder / "genotypes.parquet").absolute()
        table.mkdir()
        paths = [path.absolute() for _, (_, path) in named]
        accounts = []
        if cells:
            of_cells = CellFiles.of(path for _, path in cells)
            for number, path in enumerate(paths):
                paths[number] = scratch / f"cell_lines-{number}.parquet"
                accounts.append(as_plain(path, of_cells, channels, settings, paths[number]))
        elif settings.drugs:
            raise InputError("genotypes.drugs is for responses of cell lines; give their files "
                             "in sources.cells (--cells), or omit it")  # fmt: skip
        files = [
            (given, open_file(path, scratch, settings.piece_bytes, each, settings.phenotypes))
            for (given, _), path in zip(named, paths, strict=True)
        ]
        if settings.alleles == "keep":
            require_alleles([file for _, file in files])
        graded = is_graded([file for _, file in files], settings)
        phenotypes = phenotypes_of([file for _, file in files], settings.phenotypes)
        pieces = _sort(files, settings, annotated.absolute(), scratch, each, graded, channels)
        naming = read_naming(annotated, settings, channels=channels)
        all_pieces = [piece for pieces_of_file in pieces for piece in pieces_of_file]
        met = table_of((piece.names for piece in all_pieces), naming.names)
        require_control(naming, any(piece.control_met for piece in all_pieces), met["name"])
        kept = [ALLELES] * naming.alleles + [STATES] * graded
        parts = _merge(pieces, phenotypes, settings, table, each, kept)
        genes = sorted({gene for part in parts for gene in part.genes})
        found = pl.DataFrame({"gene": genes}, schema={"gene": pl.String})
        if channels:
            of_gene = [gene_and_channel(name)[0] for name in genes]
            found = found.with_columns(of_gene=pl.Series(of_gene, dtype=pl.String))
        write_table(found, folder / "genes.parquet")
        write_table(met, folder / "gene_names.parquet")
        names = [name for _, (name, _) in named]
        account = account_of(met, naming.names, sum(piece.same_gene for piece in all_pieces))
        noise = measurement_noise.account_of((part.noise for part in parts), phenotypes)
        ledger = ledger_of(names, files, pieces, parts, len(genes))
        for entry, own in zip(ledger["files"], accounts, strict=False):  # none, or one a file
            entry |= {"format": "cell_lines", "cell_lines": own}
        write_json(folder / "ledger.json", ledger | {"names": account, "noise": noise})
        shutil.rmtree(scratch)


def _sort(
    files: Sequence[tuple[Given, GenotypeFile]],
    settings: GenotypesConfig,
    names: Path,
    scratch: Path,
    each: Each,
    graded: bool,
    channels: Sequence[str],
) -> list[list[SortedPiece]]:
    """Parse and sort the pieces of all files; those of each file."""
    tasks = [
        (piece, file.form, given, settings, names, scratch / f"{file_index}-{piece_index}.arrow",
         graded, channels)
        for file_index, (given, file) in enumerate(files)
        for piece_index, piece in enumerate(file.pieces)
    ]  # fmt: skip
    done = iter(each(sort_piece, tasks))
    pieces = [list(itertools.islice(done, len(file.pieces))) for _, file in files]
    for (_, file), pieces_of_file in zip(files, pieces, strict=True):
        if not any(piece.rows for piece in pieces_of_file):
            raise InputError(f"{file.path}: a header without a row below it; expected genotypes")
        complaints = [piece.complaint for piece in pieces_of_file if piece.complaint]
        if complaints and settings.on_bad_row == "error":
            raise InputError(
                f"{complaints[0]} Correct the row, or set genotypes.on_bad_row: skip to count such "
                "rows instead."
            )
        rows = sum(piece.rows for piece in pieces_of_file)
        if added(piece.dropped for piece in pieces_of_file).get("missing_phenotype") == rows:
            raise InputError(
                f"{file.path}: none of its {rows:,} rows has a value of '{file.phenotypes[0]}', "
                f"its first phenotype; found {words_of(pieces_of_file)[file.phenotypes[0]]}. Name "
                "another one first in genotypes.phenotypes, or omit the file."
            )
    return pieces


def _merge(
    pieces: Sequence[Sequence[SortedPiece]],
    phenotypes: Sequence[str],
    settings: GenotypesConfig,
    table: Path,
    each: Each,
    further: Sequence[str],
) -> list[Part]:
    """Merge all pieces, part by part, into the files of a table."""
    flat = [piece for pieces_of_file in pieces for piece in pieces_of_file if piece.kept]
    require_some(pieces, settings)
    keys = boundaries(flat, settings.part_rows)
    rows = each(cuts, [(piece.path, keys) for piece in flat])
    tasks = []
    for part in range(len(keys) + 1):
        slices = [
            (piece.path, cuts_of_piece[part], cuts_of_piece[part + 1])
            for piece, cuts_of_piece in zip(flat, rows, strict=True)
            if cuts_of_piece[part] < cuts_of_piece[part + 1]
        ]
        tasks.append((slices, phenotypes, table / part_name(part), further))
    return each(merge_part, tasks)
