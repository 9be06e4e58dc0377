"""Stage `annotations`: from annotation lines to (term, gene) pairs, every line accounted for.

Lines of several files are united, and one that stands in them twice counts once. The order of the
reasons is that of `_reason`; a line is counted under the first that holds.
"""

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from data_specs.errors import InputError, ParameterError
from data_specs.files import replacing_folder
from data_specs.layout import DataLayout, write_json
from data_specs.ledger_words import dropped
from data_specs.parameters import Annotations as AnnotationsConfig
from data_specs.parameters import Parameters
from data_specs.raw_files import read_text
from data_specs.tables import write_table
from pipeline.annotations.accounts import FileAccount, accounts_of
from pipeline.annotations.formats import FORMATS, AnnotationLines, read_lines
from pipeline.annotations.gaf import CELLS, GAF_COLUMNS
from pipeline.annotations.gene_info import NO_GENES, GeneInfo, read_gene_info
from pipeline.annotations.gene_mapping import read_gene_mapping
from pipeline.annotations.names import NO_NAMES, gene_names, ids_of, mapped, sorted_names, values_of
from pipeline.annotations.requests import (
    bare_taxon,
    evidence_of_preset,
    filled_columns,
    require_present,
    require_values,
    taxon_of_line,
)
from pipeline.exchange import reader_of
from pipeline.sources import input_files

REASONS = (
    "malformed", "repeated", "negated", "taxon", "no_gene_id", "evidence", "date", "unknown_term",
    "obsolete",
)  # fmt: skip


# NOT among the values of a qualifier, in any case, whatever separates them.
_NOT = r"(?i)(?:^|[\W_])NOT(?:$|[\W_])"


@dataclass(frozen=True, slots=True)
class AnnotationTable:
    """Kept pairs (`data_specs.tables.ANNOTATIONS`) and how many lines gave them.

    `names` are the further names of genes (`data_specs.tables.GENE_NAMES`).

    `dropped` counts lines by reason, those without a line omitted; `remapped` counts kept lines
    whose id led to another term. `absent_codes` are those that the preset asks for and no line
    has; `filled_columns` those that may name genes and do, with an example. `files` are the
    accounts of the files, in their order; none of a ready-made hierarchy.
    """

    pairs: pl.DataFrame
    lines: int
    kept: int
    names: pl.DataFrame = field(default_factory=lambda: NO_NAMES)
    dropped: Mapping[str, int] = field(default_factory=dict)
    remapped: Mapping[str, int] = field(default_factory=lambda: {"alt_id": 0, "replaced_by": 0})
    absent_codes: tuple[str, ...] = ()
    filled_columns: Mapping[int, str] = field(default_factory=dict)
    files: tuple[FileAccount, ...] = ()


def read_annotations(
    files: Path | Sequence[Path],
    terms: pl.DataFrame,
    aliases: pl.DataFrame,
    config: AnnotationsConfig,
    of_preset: Collection[str] = (),
    genes: GeneInfo = NO_GENES,
) -> AnnotationTable:
    """Read one or several annotation files, plain or packed, against terms and aliases.

    A pair is kept if at least one of its lines is: evidence and date are judged line by line.

    Args:
        files: in formats of `pipeline.annotations.formats`, told by their content. With several, a
            line that is the same in all columns as an earlier one is counted as `repeated`.
        terms: of the ontology.
        aliases: of the ontology.
        config: which lines count.
        of_preset: evidence codes that a preset asks for: it is for any file, so these may be in
            none of its lines.
        genes: what further files say of genes, for GPAD and for diseases.

    Raises:
        InputError: a malformed line, unless `on_bad_line: skip`, or a file of another format.
        ParameterError: a gene-id pattern that is no regular expression, or an evidence code or
            taxon that no line has.
    """
    read = [read_lines(path, genes) for path in ([files] if isinstance(files, Path) else files)]
    lines = pl.concat(
        each.table.with_columns(file=pl.lit(number)) for number, each in enumerate(read)
    )
    table = lines.with_columns(reason=_reason(config), gene=_gene_id(config))
    table = _resolve(table, terms, aliases)
    repeated = _repeated() if len(read) > 1 else pl.lit(False)
    table = table.with_columns(
        counted=pl.when(repeated).then(pl.lit("repeated")).otherwise("reason")
    )
    if config.on_bad_line == "error":
        for number, each in enumerate(read):
            _refuse_malformed(table.filter(file=number), each)
    sound = table.filter(pl.col("fault").is_null())
    where = " and ".join(str(each.path) for each in read)
    for key in ("exclude_evidence", "include_evidence"):
        wanted = [code for code in getattr(config, key) or () if code not in of_preset]
        require_present(f"annotations.{key}", wanted, sound["c7"], where)
    if config.date_cutoff is not None:
        require_values("annotations.date_cutoff", sound, "c14", read)
    if config.taxon is not None:
        require_values("annotations.taxon", sound, "c13", read)
        taxa = sound.select(taxon_of_line()).to_series()
        require_present("annotations.taxon", [bare_taxon(config.taxon)], taxa, where)
    codes = set(sound["c7"])
    kept = table.filter(pl.col("counted").is_null())
    counts = dict(table.group_by("counted").len().iter_rows())
    remapped = dict(kept.group_by("kind").len().iter_rows())
    return AnnotationTable(
        pairs=kept.select("term", "gene").unique().sort("term", "gene"),
        lines=table.height,
        kept=kept.height,
        names=gene_names(table),
        dropped={reason: counts[reason] for reason in REASONS if reason in counts},
        remapped={kind: remapped.get(kind, 0) for kind in ("alt_id", "replaced_by")},
        absent_codes=tuple(code for code in sorted(of_preset) if code not in codes),
        filled_columns=filled_columns(sound),
        files=accounts_of(read, table, REASONS),
    )


def _repeated() -> pl.Expr:
    """Whether an earlier line, of any file, is the same in every column; of sound lines."""
    cells = [pl.col("stated" if name == "c7" else name).fill_null("") for name in CELLS]
    return pl.col("fault").is_null() & ~pl.struct(cells).is_first_distinct()


def _gene_id(config: AnnotationsConfig) -> pl.Expr:
    """The first identifier, in the configured columns' order, that matches the pattern whole."""
    pattern = f"^(?:{config.gene_id_pattern})$" if config.gene_id_pattern else "."
    try:
        pl.select(pl.lit("").str.contains(pattern))
    except pl.exceptions.ComputeError as error:
        raise ParameterError(
            f"annotations.gene_id_pattern '{config.gene_id_pattern}': {str(error).splitlines()[0]}"
        ) from None
    for column in config.gene_id_columns:
        if column > GAF_COLUMNS:
            raise ParameterError(
                f"annotations.gene_id_columns: {column}; a GAF has columns 1 to {GAF_COLUMNS}"
            )
    return pl.coalesce(
        values_of(f"c{column}")
        .list.eval(pl.element().filter(pl.element().str.contains(pattern)))
        .list.first()
        for column in config.gene_id_columns
    )


def _reason(config: AnnotationsConfig) -> pl.Expr:
    """Why a line is dropped, as far as the line itself tells; null when nothing speaks against."""
    none = pl.lit(False)
    taxon = none
    if config.taxon is not None:
        taxon = taxon_of_line() != bare_taxon(config.taxon)
    evidence = pl.col("c7").is_in(list(config.exclude_evidence))
    if config.include_evidence is not None:
        evidence |= ~pl.col("c7").is_in(list(config.include_evidence))
    date = none
    if config.date_cutoff is not None:
        date = pl.col("c14") > config.date_cutoff.replace("-", "")
    return (
        pl.when(pl.col("fault").is_not_null()).then(pl.lit("malformed"))
        .when(pl.col("c4").str.contains(_NOT)).then(pl.lit("negated"))
        .when(taxon).then(pl.lit("taxon"))
        .when(_gene_id(config).is_null()).then(pl.lit("no_gene_id"))
        .when(evidence).then(pl.lit("evidence"))
        .when(date).then(pl.lit("date"))
    )  # fmt: skip


def _resolve(table: pl.DataFrame, terms: pl.DataFrame, aliases: pl.DataFrame) -> pl.DataFrame:
    """Add `term`, the live term that column 5 leads to, and the reasons that it decides."""
    live = terms.filter(~pl.col("obsolete")).select(id="term", term="term", kind=pl.lit("primary"))
    known = pl.concat([live, aliases.select("id", "term", "kind")])
    unjudged = pl.col("reason").is_null()
    return table.join(
        known, left_on="c5", right_on="id", how="left", maintain_order="left"
    ).with_columns(
        reason=pl.when(unjudged & pl.col("kind").is_null())
        .then(pl.lit("unknown_term"))
        .when(unjudged & (pl.col("kind") == "obsolete"))
        .then(pl.lit("obsolete"))
        .otherwise(pl.col("reason"))
    )


def _refuse_malformed(table: pl.DataFrame, lines: AnnotationLines) -> None:
    bad = table.filter(pl.col("reason") == "malformed")
    if bad.is_empty():
        return
    first = bad.row(0, named=True)
    where, found = f"{lines.path}:{first['line']}", first["fault"]
    if bad.height == table.height:  # counting them would leave none
        raise InputError(
            f"{where}: {found}. No line of the file is {lines.format}; expected "
            f"{FORMATS[lines.format]}. Is it the annotation file, and is it separated by tabs?"
        )
    more = f" {bad.height - 1} more such lines follow." if bad.height > 1 else ""
    raise InputError(
        f"{where}: {found}.{more} Set annotations.on_bad_line=skip to count such lines instead."
    )


def from_topology(path: Path) -> AnnotationTable:
    """The (term, gene) pairs of a ready-made hierarchy (`pipeline.exchange`)."""
    text = read_text(path)
    reader = reader_of(text)
    if reader is None:
        raise InputError(f"{path}: an OBO holds no annotations; give a GAF file with --annotations")
    imported = reader(text, path)
    pairs = pl.DataFrame(
        list(imported.annotations), schema={"term": pl.String, "gene": pl.String}, orient="row"
    )
    names = pl.DataFrame(list(imported.gene_names), schema=NO_NAMES.schema, orient="row")
    names = sorted_names([ids_of(pairs), names])
    return AnnotationTable(pairs, lines=imported.lines, kept=imported.lines, names=names)


def _of_columns(filled: Mapping[int, str]) -> str:
    listed = ", ".join(f"{column} ('{example}')" for column, example in filled.items())
    return f" Columns that may name genes, with an example: {listed}." if filled else ""


def _notes(table: AnnotationTable, parameters: Parameters, where: str) -> Iterator[str]:
    if table.absent_codes:
        yield (
            f"preset {parameters.preset} goes by evidence {', '.join(table.absent_codes)}, which "
            f"no line of {where} has"
        )
    configured = parameters.annotations.gene_id_columns
    empty = [str(c) for c in configured if c in (2, 3, 10, 11) and c not in table.filled_columns]
    if empty:
        yield (
            f"annotations.gene_id_columns: column {', '.join(empty)} is empty in every line of "
            f"{where}.{_of_columns(table.filled_columns)}"
        )
    for account in table.files:
        yield from account.notes()


def _read(parameters: Parameters, layout: DataLayout) -> tuple[AnnotationTable, str]:
    """The annotations of a build, and the names of their files for messages."""
    files = [path for _, path in input_files(layout, "annotations")]
    gene_info = [path for _, path in input_files(layout, "gene_info")]
    genes = read_gene_info(gene_info)
    if not files:
        [(_, path)] = input_files(layout, "ontology")  # which then has annotations
        table, where = from_topology(path), str(path)
    else:
        where = " and ".join(map(str, files))
        table = read_annotations(
            files,
            pl.read_parquet(layout.ontology / "terms.parquet", glob=False),
            pl.read_parquet(layout.ontology / "aliases.parquet", glob=False),
            parameters.annotations,
            evidence_of_preset(parameters),
            genes,
        )
    if gene_info and not any(account.format in genes.formats for account in table.files):
        raise ParameterError(
            f"sources.gene_info is {gene_info[0]}, and nothing would read it: {where} is none of "
            f"{', '.join(genes.formats) or 'the formats that it completes'}. A GAF has the names "
            "of genes itself. Omit sources.gene_info."
        )
    return table, where


def run(parameters: Parameters, layout: DataLayout) -> None:
    """Read the annotations named in `sources.json`; write the kept pairs and their ledger.

    The names of genes are written with those that `sources.gene_names` maps to them: later stages
    need nothing else to resolve a name.
    """
    table, where = _read(parameters, layout)
    if table.pairs.is_empty():
        raise InputError(
            f"{where}: no annotation is left of {table.lines:,} lines; {dropped(table.dropped)}. "
            "Loosen annotations.*, or check that ontology, annotations and gene_id_pattern belong "
            "together."
            f"{_of_columns(table.filled_columns)}"
        )
    for note in _notes(table, parameters, where) if table.files else ():
        print(f"note: {note}", file=sys.stderr)
    given = [mapped(read_gene_mapping(path)) for _, path in input_files(layout, "gene_names")]
    with replacing_folder(layout.annotations, layout.own("annotations")) as folder:
        folder.mkdir()
        write_table(table.pairs, folder / "annotations.parquet")
        write_table(sorted_names([table.names, *given]), folder / "names.parquet")
        ledger = {
            "lines": table.lines,
            "dropped": dict(table.dropped),
            "kept": table.kept,
            "remapped": dict(table.remapped),
        }
        if [account.format for account in table.files] not in ([], ["GAF"]):
            names = [name for name, _ in input_files(layout, "annotations")]
            ledger["annotation_files"] = [
                account.to_json(name) for name, account in zip(names, table.files, strict=True)
            ]
        write_json(folder / "ledger.json", ledger)
