"""The measurement error by the tables' columns, and the best score that it allows a model.

The account of the genotypes (`pipeline.genotypes.measurement_noise`) holds under `noise`, by
phenotype, one estimate a source: replicates, the genotypes that were measured more than once, if
there are enough of them; then sd, a column of standard deviations, if there is one. The first is
what is shown. A build of an earlier version has none.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from data_specs.layout import DataLayout, read_json

# What a table says of the strains of a row, not of the mutant: it changes places where query and
# array are exchanged.
OF_STRAINS = ("query_fitness", "array_fitness")
P_VALUE = "p_value"
_SUFFIXES = ("_sd", "_std")  # of a phenotype's name
_FIRST_ONLY = ("sd", "std")  # without a name: of the first phenotype
# Scores that are differences from the fitness that was expected of a mutant.
_FROM_FITNESS = ("interaction", "raw_interaction")


def sd_column(phenotype: str, columns: Iterable[str]) -> str | None:
    """The column with the standard deviation of a phenotype's rows, in the phenotype's units.

    That is `NAME_sd` or `NAME_std`, for the first column also `sd` or `std`; case does not matter.

    Args:
        phenotype: one of the columns.
        columns: of the table or store, the primary phenotype first.
    """
    columns = list(columns)
    names = [phenotype + suffix for suffix in _SUFFIXES]
    names += _FIRST_ONLY if columns[:1] == [phenotype] else ()
    named = {column.casefold(): column for column in columns if column != phenotype}
    return next((named[name.casefold()] for name in names if name.casefold() in named), None)


def weighing_column(phenotype: str, columns: Iterable[str]) -> str | None:
    """The column of standard deviations that tells which samples of a phenotype are noisier.

    For an interaction it may be that of the mutant's fitness, which the published tables give: its
    size is not that of the score's error, so that no ceiling follows from it, but where it is large
    the score is less certain.
    """
    columns = list(columns)
    column = sd_column(phenotype, columns)
    if column is None and phenotype in _FROM_FITNESS:
        return sd_column("fitness", columns)
    return column


def is_measured(name: str, columns: Iterable[str]) -> bool:
    """Whether a column is a measurement of the mutant, and not how certain another one is."""
    columns = list(columns)
    of_others = {sd_column(other, columns) for other in columns}
    return name not in OF_STRAINS and name != P_VALUE and name not in of_others


def ceiling_of(genotypes: Mapping[str, Any], phenotype: str) -> dict[str, Any] | None:
    """The estimate that is shown, from the account of the genotypes; None if there is none."""
    estimates = genotypes.get("noise", {}).get(phenotype, [])
    return dict(estimates[0]) if estimates else None


def ceiling_in_build(layout: DataLayout, phenotype: str) -> dict[str, Any] | None:
    """The estimate of a build that is shown; None if there is none."""
    path = layout.genotypes / "ledger.json"
    return ceiling_of(read_json(path), phenotype) if path.is_file() else None


def told_by(estimate: Mapping[str, Any]) -> str:
    """The data of an estimate, in words."""
    if estimate["source"] == "sd":
        return f"by column {estimate['column']} of {estimate['genotypes']:,} genotypes"
    copies = estimate["copies"]
    left_out = f", not counting {copies:,} copied rows" if copies else ""
    again, total = estimate["genotypes"], estimate["of"]
    return f"by repeats of {again:,} of {total:,} genotypes{left_out}"


def best_scores(estimate: Mapping[str, Any]) -> str:
    """The score of a perfect model, in words."""
    return (
        f"a perfect model would reach a Pearson of {estimate['ceiling_pearson']:.3f} "
        f"(R² {estimate['ceiling_r2']:.3f})"
    )
