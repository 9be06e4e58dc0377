"""Pictures of the ledger, and the rows of its waterfall."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib import image

from pipeline.ledger.plots import (
    ledger_waterfall,
    level_steps,
    line_bars,
    strata_and_levels,
    strata_sizes,
    term_bars,
)

pytestmark = pytest.mark.plots


def step(name: str, terms: int, edges: int) -> dict[str, Any]:
    return {"step": name, "terms": terms, "edges": edges, "annotations": 90, "genes": 40}


LEDGER: dict[str, Any] = {
    "lines": 111_356,
    "dropped": {"malformed": 1, "negated": 355, "no_gene_id": 60_884},
    "kept": 50_116,
    "steps": [
        step("annotated", 8427, 14519),
        step("containment", 4585, 7916),
        step("redundant", 3897, 7930),  # lifted children have more edges than before
        step("transitive_reduction", 3897, 6700),
    ],
    "strata": [1, 3, 36, 157, 353, 494, 642, 621, 540, 400, 268, 207, 122, 41, 10, 2],
    "heights": [1682, 911, 519, 293, 165, 116, 77, 46, 37, 21, 16, 7, 4, 1, 1, 1],
}
TOPOLOGY: dict[str, Any] = {
    "lines": 215,
    "dropped": {},
    "kept": 215,
    "steps": [step("annotated", 22, 26), step("containment", 22, 26)],
    "strata": [1, 1, 9, 7, 3, 1],
    "heights": [10, 5, 3, 2, 1, 1],
}
SMALLEST = TOPOLOGY | {"lines": 1, "kept": 1, "steps": [], "strata": [1, 1], "heights": [1, 1]}
DEEP = TOPOLOGY | {"strata": list(range(1, 60)), "heights": [1000] + [13] * 58}


def test_lines_fall_from_read_to_kept() -> None:
    bars = line_bars(LEDGER)
    assert [bar.name for bar in bars] == ["read", "malformed", "negated", "no gene id", "kept"]
    drops = bars[1:-1]
    assert [bar.right - bar.left for bar in drops] == list(LEDGER["dropped"].values())
    for above, below in zip([bars[0].right, *(bar.left for bar in drops)], bars[1:], strict=True):
        assert below.right == above
    assert bars[-1].right == LEDGER["kept"]
    assert [bar.label for bar in bars] == ["111,356", "−1", "−355", "−60,884", "50,116"]


def test_terms_fall_step_by_step() -> None:
    labels = [bar.label for bar in term_bars(LEDGER)]
    assert labels == [
        "8,427 (14,519)", "−3,842 (−6,603)", "−688 (+14)", "0 (−1,230)", "3,897 (6,700)",
    ]  # fmt: skip


def test_nothing_falls_from_a_topology() -> None:
    assert [bar.label for bar in line_bars(TOPOLOGY)] == ["215", "215"]
    assert [bar.label for bar in term_bars(TOPOLOGY)] == ["22 (26)", "0 (0)", "22 (26)"]


@pytest.mark.parametrize("ledger", [LEDGER, TOPOLOGY, SMALLEST, DEEP])
@pytest.mark.parametrize("draw", [ledger_waterfall, strata_sizes])
def test_plot(draw: Any, ledger: dict[str, Any], tmp_path: Path) -> None:
    first, again = tmp_path / "new" / "plot.png", tmp_path / "again.png"
    draw(ledger, first)
    draw(ledger, again)
    assert first.read_bytes() == again.read_bytes()
    pixels = image.imread(first)
    rows = len(line_bars(ledger)) + len(term_bars(ledger))
    height = 800 if draw is strata_sizes else round(100 * (3 + 0.46 * rows))
    assert pixels.shape[:2] == (height, 1200)
    ink = (pixels[..., :3] < 0.9).any(axis=2)
    assert ink.mean() > 0.01
    edge = np.concatenate([ink[:2].ravel(), ink[-2:].ravel(), ink[:, :2].ravel()])
    assert not edge.any(), "cut off at the edge"
    assert not ink[:, -2:].any(), "cut off at the right"


def levels(*rows: tuple[str, int, int | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["term", "stratum", "level"], orient="row")


EDGES = pl.DataFrame({"child": ["a", "b", "c", "c"], "parent": ["r", "a", "a", "b"]})
TERMS = levels(("r", 0, None), ("a", 1, 1), ("b", 2, 2), ("c", 3, 2))


def test_steps_from_level_to_level() -> None:
    assert level_steps(TERMS, EDGES) == {0: 1, 1: 2}  # of the root nothing is known
    assert level_steps(TERMS.with_columns(level=None), EDGES) == {}


@pytest.mark.parametrize(
    ("table", "edges"),
    [
        (TERMS, EDGES),
        (TERMS.with_columns(level=pl.lit(None, pl.Int64)), EDGES),
        (levels(("r", 0, 0)), EDGES.clear()),
        (levels(*((f"t{i}", i % 17, i % 13) for i in range(4000))),
         pl.DataFrame({"child": [f"t{i}" for i in range(1, 4000)],
                       "parent": [f"t{i}" for i in range(3999)]})),
    ],
    ids=["few", "no level", "a root", "many"],
)  # fmt: skip
def test_plot_of_levels(table: pl.DataFrame, edges: pl.DataFrame, tmp_path: Path) -> None:
    strata_and_levels(table, edges, tmp_path / "levels.png")
    strata_and_levels(table, edges, tmp_path / "again.png")
    assert (tmp_path / "levels.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    pixels = image.imread(tmp_path / "levels.png")
    assert pixels.shape[:2] == (800, 1200)
    ink = (pixels[..., :3] < 0.9).any(axis=2)
    assert ink.mean() > 0.005
    edge = np.concatenate([ink[:2].ravel(), ink[-2:].ravel(), ink[:, :2].ravel()])
    assert not edge.any(), "cut off at the edge"
