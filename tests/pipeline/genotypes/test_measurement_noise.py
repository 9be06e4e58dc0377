"""Error variance and ceiling: by hand, of a known truth, and whatever the parts."""

import math
from fractions import Fraction
from pathlib import Path
from statistics import variance
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.genotypes.measurement_noise import FEW, Sums, account_of, exact_sum, sums_of
from tests.conftest import examples

NUMBERS = st.floats(-1e15, 1e15)
FEWER = settings(max_examples=examples(60))


@FEWER
@given(st.lists(NUMBERS))
def test_a_sum_is_exact(values: list[float]) -> None:
    assert exact_sum(np.array(values, dtype=np.float64)) == sum(map(Fraction, values))


def test_a_sum_of_extremes() -> None:
    values = [5e-324, -5e-324, 2.0**-1022, 1e308, -1e308, 3e-310, 0.0, -0.0]
    assert exact_sum(np.array(values)) == Fraction(2.0**-1022) + Fraction(3e-310)


def table(rows: list[tuple[int, float | None, float | None]]) -> pl.DataFrame:
    schema = {"group": pl.UInt32, "score": pl.Float64, "sd": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def account(rows: pl.DataFrame) -> list[dict[str, Any]]:
    names = rows.columns[1:]
    return account_of([sums_of(rows, names)], names).get(names[0], [])


def test_by_hand() -> None:
    """Two rows and their copy, a single one, and one that was not measured."""
    rows = table([(0, 1.0, 0.1), (0, 1.0, 0.1), (0, 4.0, 0.5), (1, 2.0, 0.2), (2, None, 0.3)])
    found = sums_of(rows, ["score", "sd"])
    assert list(found) == ["score"]
    sums = found["score"]
    assert (sums.genotypes, sums.replicated, sums.repeats, sums.copies) == (2, 1, 1, 1)
    assert sums.values == 4  # (1 + 1 + 4) / 3 and 2
    assert float(sums.within) == 4.5
    assert float(sums.shares) == pytest.approx((4 + 1) / 9 + 1)
    assert float(sums.errors) == pytest.approx((4 * 0.01 + 0.25) / 9 + 0.04)
    assert sums.with_sd == 2


def test_a_row_that_differs_in_another_column_is_no_copy() -> None:
    rows = table([(0, 1.0, 0.1), (0, 1.0, 0.2)])
    assert sums_of(rows, ["score", "sd"])["score"].copies == 0
    assert sums_of(rows, ["score"])["score"].copies == 1
    swapped = rows.rename({"sd": "query_fitness"})
    found = sums_of(swapped, ["score", "query_fitness"])
    assert found["score"].copies == 1, "query and array exchanged"
    assert list(found) == ["score"]


def test_pairs_by_hand() -> None:
    pairs = [(float(i), float(i) + 0.5) for i in range(FEW)]
    rows = table([(i, value, None) for i, pair in enumerate(pairs) for value in pair])
    [found] = account(rows)
    between = variance([sum(pair) / 2 for pair in pairs])
    assert found == {
        "source": "replicates", "genotypes": FEW, "of": FEW, "repeats": FEW, "copies": 0,
        "error_variance": 0.125, "variance": pytest.approx(between),
        "ceiling_r2": pytest.approx(1 - 0.0625 / between),
        "ceiling_pearson": pytest.approx(math.sqrt(1 - 0.0625 / between)),
    }  # fmt: skip


@pytest.mark.parametrize("repeated", [FEW - 1, FEW])
def test_few_say_nothing(repeated: int) -> None:
    rows = [(i, float(i) + 0.1 * k, None) for i in range(repeated) for k in range(2)]
    rows += [(i + repeated, float(i), None) for i in range(100)]
    assert len(account(table(rows))) == (repeated == FEW)


def test_nothing_at_all() -> None:
    names = ["score", "sd"]
    assert account_of([], names) == {}
    assert account(table([])) == []
    assert account(table([(i, None, None) for i in range(50)])) == []
    assert account(table([(i, 1.0, 0.1) for i in range(50)])) == [], "no variance to explain"


def test_more_error_than_variance_leaves_nothing_to_predict() -> None:
    [found] = account(table([(i, (-1.0) ** k + 1e-9 * i, None) for i in range(30) for k in (0, 1)]))
    assert (found["ceiling_pearson"], found["ceiling_r2"]) == (0, 0)


@pytest.mark.parametrize("most", [1, 4])
def test_the_ceiling_is_what_the_truth_scores(most: int) -> None:
    """The true values against the stored ones: both estimates say how well they agree."""
    random = np.random.default_rng(most)
    genotypes, sigma = 20_000, 0.6
    times = random.integers(1, most, genotypes, endpoint=True)
    truth = random.normal(size=genotypes)
    group = np.repeat(np.arange(genotypes), times)
    score = truth[group] + sigma * random.normal(size=len(group))
    rows = pl.DataFrame({"group": group, "score": score, "sd": np.full(len(group), sigma)})
    estimates = account(rows)
    assert [found["source"] for found in estimates] == ["replicates", "sd"][most == 1 :]
    stored = np.bincount(group, score) / times
    reached = np.corrcoef(truth, stored)[0, 1]
    explained = 1 - ((stored - truth) ** 2).sum() / ((stored - stored.mean()) ** 2).sum()
    for found in estimates:
        assert found["ceiling_pearson"] == pytest.approx(reached, abs=0.01)
        assert found["ceiling_r2"] == pytest.approx(explained, abs=0.01)
    # Each row again: nothing was measured anew.
    again = account(pl.concat([rows, rows]))
    for found, twice in zip(estimates, again, strict=True):
        assert twice["ceiling_r2"] == pytest.approx(found["ceiling_r2"], rel=1e-12)


def test_repeated_pairs_of_a_big_screen(real_data: Path) -> None:
    """Of Costanzo 2010: 25,362 rows repeat a pair, most of them to the last digit."""
    path = real_data / "genotypes" / "costanzo2010_intermediate.tsv.gz"
    columns = ["epsilon", "std", "p_value"]
    rows = pl.read_csv(path, separator="\t", schema_overrides=dict.fromkeys(columns, pl.Float64))
    pair = pl.concat_list("gene_1", "gene_2").list.sort().list.join("|")
    rows = rows.select(*columns, group=pair.rank("dense") - 1)
    sums = sums_of(rows, columns)["epsilon"]
    assert sums.repeats + sums.copies == 191_309 - 165_947 == 25_362
    assert (sums.replicated, sums.repeats, sums.copies) == (1_498, 1_776, 23_586)
    replicates, by_sd = account_of([{"epsilon": sums}], columns)["epsilon"]
    assert replicates["ceiling_pearson"] == pytest.approx(0.77, abs=0.01)
    assert by_sd["ceiling_pearson"] == pytest.approx(0.90, abs=0.01)


ROWS = st.lists(
    st.tuples(st.integers(0, 6), st.none() | st.sampled_from([0.1, 0.2, 0.3, 1e9, -7.0]),
              st.none() | st.floats(0, 1)),
    max_size=30,
)  # fmt: skip


@FEWER
@given(ROWS, st.randoms(use_true_random=False), st.sets(st.integers(0, 6)))
def test_neither_order_nor_parts_change_a_bit(rows: list[Any], random: Any, cut: set[int]) -> None:
    names = ["score", "sd"]
    whole = sums_of(table(rows), names)["score"]
    random.shuffle(rows)
    parts = [table([r for r in rows if (r[0] in cut) == own]) for own in (True, False)]
    added = sum((sums_of(part, names)["score"] for part in parts), Sums())
    assert added == whole
    assert len(list(rows)) >= whole.copies + whole.repeats + whole.genotypes
