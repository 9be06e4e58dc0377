"""The screen that `simulate` runs: which strains are crossed, and the table that comes out."""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from data_specs.parameters import Simulate
from pipeline.simulate.cell import HO, Cell, Ints, unannotated
from pipeline.simulate.hidden_truth import Floats

# Kuzmin et al. 2018 (doi:10.1126/science.aao1729), Data S1.
COLUMNS = (
    "Query strain ID",
    "Query allele name",
    "Array strain ID",
    "Array allele name",
    "Combined mutant type",
    "Raw genetic interaction score (epsilon)",
    "Adjusted genetic interaction score (epsilon or tau)",
    "P-value",
    "Query single/double mutant fitness",
    "Array single mutant fitness",
    "Combined mutant fitness",
    "Combined mutant fitness standard deviation",
)

CONTROL_SHARE = 0.25  # crosses with single-mutant queries, for each cross with a double mutant
REPEATED_SHARE = 0.01  # crosses measured with a second array strain of the same gene
SENSITIVE_SHARE = 0.2  # array strains with a temperature-sensitive allele instead of a deletion


@dataclass(frozen=True, slots=True)
class Screen:
    """Which genes are deleted where; M distinct genotypes."""

    queries: Ints  # [Q, 2] genes; -1 in a control, at the place that HO takes
    arrays: Ints  # [R] genes
    crosses: Ints  # [M, 2] row of `queries`, position in `arrays`

    @property
    def genotypes(self) -> Ints:
        """Deleted genes, [M, 3], -1 in controls."""
        query, array = self.crosses.T
        return np.column_stack([self.queries[query], self.arrays[array]])


def draw_screen(config: Simulate, cell: Cell, planted: Ints, rng: np.random.Generator) -> Screen:
    """Choose query pairs, array genes and crosses: `config.triples` and a share of controls.

    No array gene is a query gene. Query genes are those that planted terms contain more often
    than others. The last arrays have genes without any annotation.
    """
    annotated = config.genes - unannotated(config)
    often = np.maximum(cell.contained[np.ix_(planted, np.arange(annotated))].sum(axis=0), 0.1)
    chosen = np.argsort(np.log(often) + rng.gumbel(size=annotated))[-2 * config.queries :]
    others = rng.permutation(np.setdiff1d(np.arange(annotated), chosen))
    doubles = rng.permutation(chosen).reshape(-1, 2)
    left, right = doubles.copy(), doubles.copy()
    left[:, 0], right[:, 1] = -1, -1
    controls = 2 * config.queries * config.arrays
    crosses = np.concatenate(
        [
            rng.permutation(config.queries * config.arrays)[: config.triples],
            config.queries * config.arrays
            + rng.permutation(controls)[: round(CONTROL_SHARE * config.triples)],
        ]
    )
    return Screen(
        queries=np.concatenate([doubles, left, right]),
        arrays=np.concatenate(
            [others[: config.arrays - unannotated(config)], np.arange(annotated, config.genes)]
        ),
        crosses=np.stack(np.divmod(np.sort(crosses), config.arrays), axis=1),
    )


def measure(
    screen: Screen, cell: Cell, noise_free: Floats, noise: float, rng: np.random.Generator
) -> tuple[pl.DataFrame, Ints]:
    """Measure every genotype once and a few twice.

    Args:
        screen: the genotypes, M of them.
        cell: the cell, for names.
        noise_free: score of each genotype, [M].
        noise: standard deviation of the measurement error.
        rng: source of randomness.

    Returns:
        The table, columns `COLUMNS`, rows sorted by strains; and which genotype each row measures.
    """
    again = np.flatnonzero(rng.random(len(noise_free)) < REPEATED_SHARE)
    row = np.concatenate([np.arange(len(noise_free)), again])
    second = np.arange(len(row)) >= len(noise_free)
    query, array = screen.crosses[row].T
    adjusted = noise_free[row] + rng.normal(0, noise, len(row))
    control = (screen.queries[query] < 0).any(axis=1)
    background = rng.normal(0, 0.02, len(row))  # the share of digenic interactions in epsilon
    raw = np.where(control, adjusted, adjusted + background)

    single = np.clip(1.02 - rng.gamma(0.8, 0.08, len(cell.genes)), 0.3, 1.1)
    of_query = np.where(screen.queries >= 0, single[screen.queries], 1.0).prod(axis=1)
    of_array = single[screen.arrays]
    deviation = np.maximum(noise, 0.01) * np.sqrt(rng.chisquare(4, len(row)) / 4)
    chance = [0.5 * math.erfc(abs(z) / math.sqrt(2)) for z in adjusted / deviation]

    query_strains, query_alleles = _name_queries(screen, cell, rng)
    array_strains, array_alleles = _name_arrays(screen, cell, rng)
    names = pl.DataFrame(
        {
            COLUMNS[0]: pl.Series(query_strains).gather(query),
            COLUMNS[1]: pl.Series(query_alleles).gather(query),
            COLUMNS[2]: pl.Series(array_strains).gather(array + second * len(screen.arrays)),
            COLUMNS[3]: pl.Series(array_alleles).gather(array + second * len(screen.arrays)),
            COLUMNS[4]: pl.Series(["trigenic", "digenic"]).gather(control.astype(np.int64)),
        }
    )
    values = {
        COLUMNS[5]: raw,
        COLUMNS[6]: adjusted,
        COLUMNS[8]: of_query[query],
        COLUMNS[9]: of_array[array],
        COLUMNS[10]: np.maximum(of_query[query] * of_array[array] + raw, 0.0),
        COLUMNS[11]: deviation,
    }
    table = names.with_columns(
        *(pl.Series(name, column.round(4) + 0.0) for name, column in values.items()),  # no -0.0
        pl.Series(COLUMNS[7], [f"{p:.3e}" for p in chance]),
        genotype=pl.Series(row),
    ).sort(COLUMNS[0], COLUMNS[2])
    return table.select(COLUMNS), table["genotype"].to_numpy()


def _name_queries(
    screen: Screen, cell: Cell, rng: np.random.Generator
) -> tuple[list[str], list[str]]:
    """Strains such as `YAL015C+YDL227C_tm461` and alleles such as `ntg1Δ+hoΔ`."""
    numbers = rng.permutation(len(screen.queries)) + 1
    strains, alleles = [], []
    for pair, strain in zip(screen.queries.tolist(), numbers, strict=True):
        strains.append("+".join(cell.genes[g] if g >= 0 else HO for g in pair) + f"_tm{strain}")
        alleles.append("+".join(cell.symbols[g].lower() + "Δ" if g >= 0 else "hoΔ" for g in pair))
    return strains, alleles


def _name_arrays(
    screen: Screen, cell: Cell, rng: np.random.Generator
) -> tuple[list[str], list[str]]:
    """Strains such as `YBL007C_dma91`, `YGL104C_tsa16`: one an array gene, then a second one."""
    arrays = np.tile(screen.arrays, 2).tolist()
    sensitive = np.tile(rng.random(len(screen.arrays)) < SENSITIVE_SHARE, 2).tolist()
    strains, alleles = [], []
    for strain, (gene, ts) in enumerate(zip(arrays, sensitive, strict=True), start=1):
        strains.append(f"{cell.genes[gene]}_{'tsa' if ts else 'dma'}{strain}")
        alleles.append(cell.symbols[gene].lower() + (f"-{strain % 9 + 1}" if ts else "Δ"))
    return strains, alleles
