"""Waterfalls begin with what came in, lose what each reason took, and end with what was left."""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from data_specs.layout import DataLayout, read_json
from dcell_model.report.account import Bar, strata, waterfalls

counts = st.integers(0, 10**7)
reasons = st.dictionaries(st.sampled_from(["negated", "no_gene_id", "bad_row"]), counts)


@st.composite
def ledgers(draw: st.DrawFn) -> dict[str, Any]:
    dropped, bad, gone = draw(reasons), draw(reasons), draw(reasons)
    kept, merged = draw(counts), draw(counts)
    parts = {part: draw(counts) for part in ("train", "val", "test", "excluded")}
    samples = sum(parts.values())
    genotypes = samples + sum(gone.values())
    return {
        "lines": kept + sum(dropped.values()),
        "dropped": dropped,
        "kept": kept,
        "genotypes": {
            "rows": genotypes + merged + sum(bad.values()), "dropped": bad, "merged": merged,
            "genotypes": genotypes, "orders": {"2": genotypes},
        },
        "store": {"dropped": gone, "samples": samples},
        "split": {"method": "random", **parts},
        "strata": draw(st.lists(counts, min_size=1)),
    }  # fmt: skip


def fits(bars: tuple[Bar, ...]) -> None:
    for bar in bars:
        assert bar.start >= -1e-9
        assert bar.width >= 0
        assert bar.start + bar.width <= 1 + 1e-9


@given(ledgers())
def test_nothing_is_lost_between_the_bars(ledger: dict[str, Any]) -> None:
    annotations, genotypes, split = (waterfall.bars for waterfall in waterfalls(ledger))
    assert annotations[-1].count == ledger["kept"]
    assert genotypes[0].count == ledger["genotypes"]["rows"]
    assert genotypes[-1].count == ledger["store"]["samples"]
    assert sum(bar.count for bar in split) == ledger["store"]["samples"]
    for bars in (annotations, genotypes):
        level, last = float(bars[0].count > 0), bars[0].count
        for bar in bars:
            if bar.kind == "dropped":
                last, level = last - bar.count, level - bar.width
                assert abs(bar.start - level) < 1e-6
            assert bar.kind == "dropped" or bar.count == last
    for bars in (annotations, genotypes, split, strata(ledger)):
        fits(bars)


def test_of_a_build(tiny_build: Path) -> None:
    ledger = read_json(DataLayout(tiny_build).ledger)
    annotations, genotypes, _ = waterfalls(ledger)
    labels = [bar.label for bar in annotations.bars]
    assert labels[0] == "annotation lines"
    assert "no gene id" in labels
    assert genotypes.bars[-1].count == ledger["store"]["samples"]
    assert [bar.count for bar in strata(ledger)] == ledger["strata"]
