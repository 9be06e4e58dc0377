"""Accounts of genotype tables: of pieces, of parts, and of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from data_specs.errors import InputError
from data_specs.genotype_tables import GenotypeFile, Genotypes
from data_specs.ledger_words import dropped
from data_specs.parameters import Genotypes as GenotypesConfig
from data_specs.tables import ALLELES, STATES
from pipeline.genotypes.measurement_noise import Sums
from pipeline.genotypes.merging import Given, added


@dataclass(frozen=True, slots=True)
class SortedPiece:
    """A parsed piece on disk: rows `key`, `query`, `given` and phenotypes, sorted by `key`.

    Attributes:
        path: Arrow file.
        rows: all rows of the piece.
        kept: those in the file.
        dropped: the others, by reason.
        complaint: about the first row that could not be read.
        sampled: keys at equal distances.
        not_measured: by phenotype, the words that stand where nothing was measured.
        names: as written, and how often.
        same_gene: rows that name a gene twice, which counts once.
        control_met: whether a query strain has a deletion of the control gene.
    """

    path: Path
    rows: int
    kept: int
    dropped: dict[str, int]
    complaint: str | None
    sampled: list[str]
    not_measured: dict[str, dict[str, int]]
    names: dict[str, int] = field(default_factory=dict)
    same_gene: int = 0
    control_met: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """The content of a part of the merged table, in numbers."""

    rows: int  # of the pieces
    also_in_test: int
    genotypes: int
    orders: dict[int, int]
    given_test: int
    genes: list[str]
    noise: Mapping[str, Sums]  # by phenotype
    alleles: Mapping[str, int] | None = None  # as `alleles_of`, where they are kept
    states: Mapping[str, int] | None = None  # as `states_of`, where genes have them


def part_of(
    genotypes: pl.DataFrame, rows: int, also_in_test: int, noise: Mapping[str, Sums]
) -> Part:
    """Count the content of a part."""
    orders = genotypes["genes"].list.len().value_counts()
    return Part(
        rows=rows,
        also_in_test=also_in_test,
        genotypes=genotypes.height,
        orders=dict(orders.iter_rows()),
        given_test=genotypes.filter(given="test").height,
        genes=genotypes["genes"].explode().unique().sort().to_list(),
        noise=noise,
        alleles=alleles_of(genotypes) if ALLELES in genotypes.columns else None,
        states=states_of(genotypes) if STATES in genotypes.columns else None,
    )


def alleles_of(genotypes: pl.DataFrame) -> dict[str, int]:
    """Count gene sets, those that have several samples, by allele, and the samples of these.

    Args:
        genotypes: `genes` and `alleles`, sorted.
    """
    lengths = genotypes["genes"].list.join("\t").rle().struct.field("len")
    several = lengths.filter(lengths > 1)
    return {
        "gene_sets": lengths.len(),
        "with_several": several.len(),
        "samples_of_these": int(several.sum()),
        "without_alleles": genotypes.filter(pl.col(ALLELES).list.len() == 0).height,
    }


def states_of(genotypes: pl.DataFrame) -> dict[str, int]:
    """Count the genes of genotypes by state.

    Args:
        genotypes: with `states`.
    """
    counts = genotypes[STATES].explode().drop_nulls().value_counts(name="count").sort(STATES)
    return {f"{state:g}": count for state, count in counts.iter_rows()}


def words_of(parts: Sequence[SortedPiece] | Sequence[Genotypes]) -> dict[str, dict[str, int]]:
    """By phenotype, the words that stand where nothing was measured, over all parts of a file."""
    names = dict.fromkeys(name for part in parts for name in part.not_measured)
    counts = {n: added(part.not_measured.get(n, {}) for part in parts) for n in names}
    return {name: dict(sorted(words.items())) for name, words in counts.items()}


def require_some(pieces: Sequence[Sequence[SortedPiece]], settings: GenotypesConfig) -> None:
    """Refuse an empty table, with the reasons that emptied it.

    Raises:
        InputError: no row is left.
    """
    flat = [piece for pieces_of_file in pieces for piece in pieces_of_file]
    if not any(piece.kept for piece in flat):
        raise InputError(
            f"no genotype is left of {sum(piece.rows for piece in flat):,} rows; "
            f"{dropped(added(piece.dropped for piece in flat))}. Are these the right files, and is "
            f"genotypes.orders {list(settings.orders)} right?"
        )


def ledger_of(
    names: Sequence[str],
    files: Sequence[tuple[Given, GenotypeFile]],
    pieces: Sequence[Sequence[SortedPiece]],
    parts: Sequence[Part],
    genes: int,
) -> dict[str, Any]:
    """The account: rows == sum(dropped) + merged + genotypes."""
    flat = [piece for pieces_of_file in pieces for piece in pieces_of_file]
    also_in_test = sum(part.also_in_test for part in parts)
    genotypes = sum(part.genotypes for part in parts)
    orders: dict[str, int] = {}
    for part in parts:
        orders = added([orders, {str(order): count for order, count in part.orders.items()}])
    kept = [part.alleles for part in parts if part.alleles is not None]
    states = added(part.states for part in parts if part.states is not None)
    return {
        "files": [
            {
                "path": name,
                "format": file.form.name,
                "rows": sum(piece.rows for piece in pieces_of_file),
                "given": given,
                "phenotypes": list(file.phenotypes),
                "left_out": file.left_out,
                "not_measured": words_of(pieces_of_file),
            }
            for name, (given, file), pieces_of_file in zip(names, files, pieces, strict=True)
        ],
        "rows": sum(piece.rows for piece in flat),
        "dropped": added([*(piece.dropped for piece in flat), {"also_in_test": also_in_test}]),
        "merged": sum(part.rows for part in parts) - also_in_test - genotypes,
        "genotypes": genotypes,
        "genes": genes,
        "orders": {order: orders[order] for order in sorted(orders, key=int)},
        "given_test": sum(part.given_test for part in parts),
        **({"alleles": {key: sum(own[key] for own in kept) for key in kept[0]}} if kept else {}),
        **({"states": dict(sorted(states.items(), key=lambda s: float(s[0])))} if states else {}),
    }
