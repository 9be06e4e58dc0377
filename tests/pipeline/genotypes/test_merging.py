"""Rows with alleles: samples of their own, which together are what merging makes of them."""

import random
from statistics import mean

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.genotypes.account import alleles_of
from pipeline.genotypes.merging import genes_of, merge, usable

SCHEMA = {
    "genes": pl.List(pl.String), "alleles": pl.List(pl.String), "query": pl.String,
    "interaction": pl.Float64,
}  # fmt: skip
genes = st.lists(st.sampled_from(["A", "A-1", "B", "C"]), min_size=1, max_size=3, unique=True)
rows_of_any = st.lists(
    st.tuples(genes.map(sorted), st.randoms(use_true_random=False), st.integers(-4, 4)),
    min_size=1, max_size=30,
)  # fmt: skip


def frame_of(drawn: list[tuple[list[str], random.Random, int]]) -> pl.DataFrame:
    rows = [
        (own, [drawer.choice(["x-1", "y-2", "Δ"]) for _ in own], own[0], value / 4)
        for own, drawer, value in drawn
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@given(rows_of_any)
def test_kept_apart_they_are_what_merging_averages(
    drawn: list[tuple[list[str], random.Random, int]],
) -> None:
    frame = frame_of(drawn)
    rows, _ = usable(frame, "train", [], ())
    kept, _, _ = merge(rows, ["interaction"], ["alleles"])
    together, _, _ = merge(usable(frame.drop("alleles"), "train", [], ())[0], ["interaction"])
    assert kept["genes"].to_list() == sorted(kept["genes"].to_list())
    pairs = list(zip(kept["genes"].to_list(), kept["alleles"].to_list(), strict=True))
    assert len({str(pair) for pair in pairs}) == len(pairs)
    expected = {(tuple(g), tuple(a)) for g, a in frame.select("genes", "alleles").iter_rows()}
    assert {(tuple(g), tuple(a)) for g, a in pairs} == expected
    again = (
        kept.with_columns(sum=pl.col("interaction") * pl.col("count"))
        .group_by("genes", maintain_order=True)
        .agg(pl.col("sum").sum(), pl.col("count").sum())
    )
    assert again["genes"].to_list() == together["genes"].to_list()
    assert again["count"].to_list() == together["count"].to_list()
    means = (again["sum"] / again["count"]).to_list()
    assert together["interaction"].to_list() == pytest.approx(means)
    account = alleles_of(kept)
    assert account["gene_sets"] == together.height
    sizes = kept["genes"].list.join("|").value_counts()["count"]
    assert account["with_several"] == (sizes > 1).sum()
    assert account["samples_of_these"] == sizes.filter(sizes > 1).sum()
    assert account["without_alleles"] == 0


def test_the_spread_is_that_of_one_strain() -> None:
    frame = pl.DataFrame(
        [
            (["A", "B"], ["x-1", "Δ"], "A", 0.5), (["A", "B"], ["x-1", "Δ"], "B", 0.25),
            (["A", "B"], ["y-2", "Δ"], "A", -1.0),
        ],
        schema=SCHEMA, orient="row",
    )  # fmt: skip
    kept, _, _ = merge(usable(frame, "train", [], ())[0], ["interaction"], ["alleles"])
    assert kept.select("alleles", "queries", "count", "interaction").rows() == [
        (["x-1", "Δ"], ["A", "B"], 2, mean([0.5, 0.25])), (["y-2", "Δ"], ["A"], 1, -1.0),
    ]  # fmt: skip
    assert kept["interaction_spread"].to_list() == [pytest.approx(0.125 * 2**0.5), None]


def test_a_gene_set_of_a_test_file_trains_by_no_allele() -> None:
    train = pl.DataFrame(
        [(["A", "B"], ["x-1", "Δ"], "A", 0.5), (["A", "C"], ["x-1", "Δ"], "A", 0.5)],
        schema=SCHEMA, orient="row",
    )  # fmt: skip
    test = train.head(1).with_columns(alleles=pl.lit(["y-2", "Δ"], pl.List(pl.String)))
    rows = [usable(train, "train", [], ())[0], usable(test, "test", [], ())[0]]
    kept, dropped, _ = merge(pl.concat(rows), ["interaction"], ["alleles"])
    assert dropped == 1
    assert kept.select("alleles", "given").rows() == [
        (["y-2", "Δ"], "test"), (["x-1", "Δ"], "train"),
    ]  # fmt: skip


def test_a_control_alone_is_no_deletion_whatever_its_allele() -> None:
    frame = pl.DataFrame([(["HO"], ["Δ"], None, 0.5)], schema=SCHEMA, orient="row")
    rows, dropped = usable(frame, "train", ["HO"], ())
    assert (rows.height, dropped) == (0, {"no_deletion": 1})


def test_the_genes_of_a_key() -> None:
    keys = pl.Series("key", ["A\tB\x01x-1\tΔ", "A\x01", "A\x01B\x01Δ"])
    found = keys.to_frame().select(genes_of(pl.col("key"))).to_series()
    assert found.to_list() == ["A\tB", "A", "A\x01B"]
