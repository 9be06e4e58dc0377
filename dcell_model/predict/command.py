"""`dcell predict`: the tables of `genotype_predictions` in a file or on the terminal."""

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from data_specs.cell_lines import CellFiles
from data_specs.cell_tables import altered_genes
from data_specs.chain import made_from_metadata
from data_specs.errors import InputError
from data_specs.files import replacing_file
from data_specs.gene_names import GeneNames
from data_specs.spreadsheets import guarded
from dcell_model.checkpoint import LEVEL, reach_in_words
from dcell_model.machine import one_thread
from dcell_model.models import record_of
from dcell_model.predict.genotype_input import read_genotypes
from dcell_model.predict.opened_run import open_run
from dcell_model.predict.tables import predictions, resolve
from dcell_model.predict.trained import Trained

if TYPE_CHECKING:
    from rich.table import Table

DELIMITERS = {".csv": ",", ".tsv": "\t"}
SHOWN, SHOWN_TERMS, SHOWN_NAMES = 20, 10, 10
MOST_GENES = 12  # of a genotype that a terminal shows


@one_thread()
def run(
    checkpoint: Path,
    given: str | None,
    out: Path | None = None,
    *,
    cells: Sequence[Path] = (),
    data: Path | None = None,
    subsystems: bool = False,
    level: float = LEVEL,
    states: Mapping[str, float] | None = None,
) -> list[str]:
    """Predict genotypes; write them to `out`, or print the first ones.

    Args:
        checkpoint: of a training run.
        given: genotypes, or a file of them, as `genotype_input.read_genotypes` takes them; None
            where cell lines are predicted.
        out: `.parquet`, `.csv` or `.tsv`; with `subsystems` their table lies beside it.
        cells: files of cell lines (`data_specs.cell_lines`), all of which are predicted.
        data: folder of the build that the model was trained on, for one that needs its networks.
        subsystems: also the state of every term.
        level: of the intervals.
        states: of kinds of alleles in a table of strains, as `genotypes.states` of a build.

    Returns:
        The names that the model does not know.

    Raises:
        InputError: genotypes that cannot be read, another suffix, or a level that is no share.
        ArtefactError: the checkpoint is damaged, of another version, or of other data, or of a
            model that needs its build and there is none; subsystems of a model without them.
    """
    if out is not None and out.suffix not in (".parquet", *DELIMITERS):
        raise InputError(f"{out}: suffix '{out.suffix}'; expected .parquet, .csv or .tsv")
    if not 0 < level < 1:
        raise InputError(f"--interval {level}: expected more than 0 and less than 1, such as 0.9")
    trained = open_run(checkpoint) if data is None else open_run(checkpoint, data)
    for model in trained.members:
        record_of(trained.kind).ready_for_genotypes(model)
    if given is None:
        files = CellFiles.of(cells)
        if len(files.alterations) > 1 and not trained.graph.channels:
            several = ", ".join(files.alterations)
            print(f"note: a gene is altered if any of {several} says so", file=sys.stderr)
        lines = altered_genes(files, trained.graph.channels)
        genotypes = resolve(trained, list(lines.values()), list(lines))
    else:
        genotypes = resolve(trained, read_genotypes(given, trained.names, states))
    tables = predictions(trained, genotypes, subsystems=subsystems, level=level)
    if out is None:
        _print(trained, tables, len(genotypes.given), level)
    else:
        for path in _write(trained, tables, out, subsystems):
            print(path)
    unknown = genotypes.unknown_names()
    if unknown:
        print_unknown(trained.names, unknown, "predicted as if they were not deleted")
    return unknown


def print_unknown(names: GeneNames, unknown: Sequence[str], consequence: str) -> None:
    """Print the genes that the model does not know, with reason and consequence, on stderr."""
    from data_specs.console import Console

    console = Console(stderr=True)
    console.print(f"genes the model does not know ({len(unknown):,}), {consequence}:")
    for name in unknown[:SHOWN_NAMES]:
        console.print(f"  {names.explain(name)}")
    if len(unknown) > SHOWN_NAMES:
        console.print(f"  and {len(unknown) - SHOWN_NAMES:,} more")


def subsystems_path(out: Path) -> Path:
    """Where the table of subsystems lies: `NAME.subsystems.SUFFIX`."""
    return out.with_name(f"{out.stem}.subsystems{out.suffix}")


def paths_of(out: Path, subsystems: bool) -> list[Path]:
    """The files that are written."""
    return [out, subsystems_path(out)] if subsystems else [out]


def file_of(given: str) -> list[Path]:
    """The file that genotypes are read from, if they are not named themselves."""
    try:
        return [Path(given)] if Path(given).is_file() else []
    except (OSError, ValueError):  # too long for a path, or with a zero byte
        return []


def _write(
    trained: Trained,
    tables: Iterator[tuple[pa.Table, pa.Table | None]],
    out: Path,
    subsystems: bool,
) -> list[Path]:
    paths = paths_of(out, subsystems)
    metadata = made_from_metadata({"checkpoint": trained.digest})
    with contextlib.ExitStack() as files:
        partial = [files.enter_context(replacing_file(path)) for path in paths]
        with contextlib.ExitStack() as open_files:
            writers: dict[Path, Any] = {}
            for pieces in tables:
                for path, piece in zip(partial, pieces, strict=False):
                    assert piece is not None
                    table = piece if path.suffix == ".parquet" else _for_people(piece)
                    if path not in writers:
                        schema = table.schema.with_metadata(metadata)
                        writers[path] = open_files.enter_context(_writer(path, schema))
                    writers[path].write_table(table.cast(writers[path].schema))
    return paths


def _for_people(table: pa.Table) -> pa.Table:
    """Texts, names of columns among them, as cells of a spreadsheet; Arrow takes no dictionaries.

    Numbers stay numbers.
    """
    columns = [
        guarded(column.cast(pa.string())) if _is_text(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=guarded(pa.array(table.column_names)).to_pylist())


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_dictionary(kind))


class _CsvWriter(pa_csv.CSVWriter):  # type: ignore[misc]
    """Arrow's, which knows its schema as its Parquet writer does."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        delimiter = DELIMITERS[path.suffix]
        options = pa_csv.WriteOptions(delimiter=delimiter, quoting_style="needed")
        super().__init__(str(path), schema, write_options=options)
        self.schema = schema


def _writer(path: Path, schema: pa.Schema) -> Any:
    if path.suffix == ".parquet":
        return pq.ParquetWriter(path, schema, compression="zstd")
    return _CsvWriter(path, schema)


def _print(
    trained: Trained,
    tables: Iterator[tuple[pa.Table, pa.Table | None]],
    count: int,
    level: float,
) -> None:
    from data_specs.console import Console

    console = Console()
    pieces = list(tables)
    rows = pa.concat_tables([table for table, _ in pieces]).slice(0, SHOWN).to_pylist()
    console.print(_genotype_table(trained, rows))
    if count > SHOWN:
        console.print(f"the first {SHOWN} of {count:,} genotypes; --out F writes all")
    if trained.calibration.has_intervals:
        widths = trained.calibration.half_widths(level).tolist()
        grows = trained.calibration.per_spread.tolist()
        shown = ", ".join(
            f"{name} {reach_in_words(*own)}"
            for name, *own in zip(trained.phenotypes, widths, grows, strict=True)
        )
        console.print(f"{level:.0%} of genotypes like those of training lie within: {shown}")
    if any(row["unseen"] for row in rows):
        console.print("* training never saw these genes deleted: no interval holds for them")
    states = [own for _, own in pieces[1:] if own is not None]
    for row in rows if states else []:
        own = [each for each in states[0].to_pylist() if each["genotype"] == row["genotype"]]
        console.print(_state_table(trained, row, own))


def _genotype_table(trained: Trained, rows: Sequence[dict[str, Any]]) -> "Table":
    table = _plain_table()
    table.add_column("genotype", overflow="fold")
    table.add_column("systematic names", overflow="fold")
    several = len(trained.members) > 1
    for name in trained.phenotypes:
        table.add_column(name, justify="right")
        if several:
            table.add_column("spread", justify="right")
    table.add_column("not known", overflow="fold")
    shown = ("predicted", "spread") if several else ("predicted",)
    for row in rows:
        values = (f"{row[f'{name}_{what}']:.4f}" for name in trained.phenotypes for what in shown)
        none = "none known: the wild type's" if row["unknown"] else "wild type"
        own, new = (row[column].split("|") for column in ("genes", "unseen"))
        genes = _shortened([f"{gene}*" if gene in new else gene for gene in own if gene]) or none
        given, unknown = (_shortened(row[column].split("|")) for column in ("given", "unknown"))
        table.add_row(given or "wild type", genes, *values, unknown or "–")
    return table


def _shortened(names: Sequence[str]) -> str:
    """Names with blanks between, the first ones of very many."""
    if len(names) <= MOST_GENES:
        return " ".join(names)
    return f"{' '.join(names[:SHOWN_NAMES])} and {len(names) - SHOWN_NAMES:,} more"


def _state_table(
    trained: Trained, row: dict[str, Any], states: Sequence[dict[str, Any]]
) -> "Table":
    table = _plain_table()
    names = row["given"].replace("|", " ") or "wild type"
    total = trained.graph.num_terms
    most = f"the {SHOWN_TERMS} that change most of " if len(states) > SHOWN_TERMS else ""
    table.title = f"{names}: {most}{len(states):,} subsystems reached, of {total:,}"
    phenotype = trained.phenotypes[0]
    table.add_column("term", no_wrap=True)
    table.add_column("name", no_wrap=True, overflow="ellipsis", max_width=30)
    table.add_column("state", justify="right", no_wrap=True)
    table.add_column(phenotype, justify="right", no_wrap=True)
    table.add_column("change", justify="right")
    for state in sorted(states, key=lambda own: -own["state_change"])[:SHOWN_TERMS]:
        values = (state["state_change"], state[f"{phenotype}_predicted"])
        cells = (state["term"], state["name"], *(f"{value:.4f}" for value in values))
        table.add_row(*cells, f"{state[f'{phenotype}_change']:+.4f}")
    return table


def _plain_table() -> "Table":
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", title_style="bold")
