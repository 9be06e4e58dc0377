"""Pairs of deletions at the scale of Costanzo et al. 2016, in that table's format.

Query strains are crossed with array strains one after the other, in pieces that are drawn and
written on their own: what is in one depends on the seed and its first row alone.
"""

import dataclasses
import math
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from data_specs.files import replacing_file
from data_specs.genotype_tables import FORMS
from data_specs.parameters import Simulate
from data_specs.workers import Each
from pipeline.simulate.cell import Cell, Ints
from pipeline.simulate.hidden_truth import Truth, scores

COLUMNS = tuple(FORMS["costanzo_2016"])
PIECE = 2**18  # rows that one task writes
QUERY_SHARE = 0.8  # of the genes have a query strain, and as many an array strain


@dataclass(frozen=True, slots=True)
class Pairs:
    """The genes that are crossed, and the properties of their strains."""

    queries: Ints  # [Q] genes
    arrays: Ints  # [R] genes
    fitness: "np.ndarray[tuple[int], np.dtype[np.float64]]"  # [G] of single mutants


def draw_pairs(config: Simulate, rng: np.random.Generator) -> Pairs:
    """Choose query and array genes: as few arrays as give `config.pairs` crosses."""
    genes = config.genes
    queries = rng.permutation(genes)[: max(2, round(QUERY_SHARE * genes))]
    arrays = rng.permutation(genes)[: -(-config.pairs // len(queries))]
    return Pairs(queries, arrays, np.clip(1.02 - rng.gamma(0.8, 0.08, genes), 0.3, 1.1))


def write_pairs(
    config: Simulate, cell: Cell, truth: Truth, pairs: Pairs, path: Path, each: Each
) -> None:
    """Write the table of all pairs, header first."""
    cell = dataclasses.replace(cell)  # without its caches: it travels to every task
    scratch = path.parent / f"{path.name}.pieces"
    scratch.mkdir()
    firsts = range(0, config.pairs, PIECE)
    pieces = [(scratch / f"{first:012d}.tsv").absolute() for first in firsts]
    each(
        write_piece,
        [
            (config, cell, truth, pairs, first, piece)
            for first, piece in zip(firsts, pieces, strict=True)
        ],
    )
    with path.open("wb") as table:
        table.write(("\t".join(COLUMNS) + "\n").encode())
        for piece in pieces:
            with piece.open("rb") as rows:
                shutil.copyfileobj(rows, table, 2**22)
            piece.unlink()
    scratch.rmdir()


def write_piece(
    config: Simulate, cell: Cell, truth: Truth, pairs: Pairs, first: int, path: Path
) -> None:
    """Write up to `PIECE` rows, without a header; a gene is not crossed with itself."""
    rng = np.random.default_rng([config.seed, first])
    cross = np.arange(first, min(first + PIECE, config.pairs))
    at_array, at_query = np.divmod(cross, len(pairs.queries))
    query, array = pairs.queries[at_query], pairs.arrays[at_array]
    other = query != array
    query, array = query[other], array[other]
    score = scores(cell, truth, np.column_stack([query, array]))
    score += rng.normal(0, config.noise, len(score))
    deviation = np.maximum(config.noise, 0.01) * np.sqrt(rng.chisquare(4, len(score)) / 4)
    fitness = pairs.fitness[query] * pairs.fitness[array]
    genes, symbols = pl.Series(cell.genes), pl.Series(cell.symbols).str.to_lowercase()
    values = {
        5: score.round(4) + 0.0,  # no -0.0
        6: _chance(np.abs(score / deviation)),
        7: pairs.fitness[query].round(4),
        8: pairs.fitness[array].round(4),
        9: np.maximum(fitness + score, 0.0).round(4),
        10: deviation.round(4),
    }
    strains = {
        0: genes.gather(query) + "_sn1",
        1: symbols.gather(query) + "Δ",
        2: genes.gather(array) + "_dma1",
        3: symbols.gather(array) + "Δ",
        4: pl.Series(["DMA30"]).new_from_index(0, len(score)),
    }
    columns = strains | {index: pl.Series(column) for index, column in values.items()}
    table = pl.DataFrame({COLUMNS[index]: columns[index] for index in sorted(columns)})
    with replacing_file(path) as partial:
        table.write_csv(partial, separator="\t", include_header=False, quote_style="never")


def _chance(z: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> pl.Series:
    """One-sided p-values of standard scores, to four digits."""
    from scipy.special import erfc

    p = 0.5 * erfc(z / math.sqrt(2))
    return pl.Series(p).round_sig_figs(4).cast(pl.Float32)
