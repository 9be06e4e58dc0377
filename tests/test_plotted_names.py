"""All plots with names that mean something to matplotlib, to XML or to a terminal."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.mathtext import MathTextParser

from dcell_model.evaluate.plots import comparison, loss_curves, prediction_against_measurement
from dcell_model.explain.plots import rlipp_by_stratum, top_subsystems
from dcell_model.tune import plots as search
from dcell_model.tune.space import Choices, Range
from dcell_model.tune.trial import FINISHED, Trial
from pipeline.ledger.plots import ledger_waterfall, strata_sizes
from tests.pipeline.ledger.test_plots import LEDGER

pytestmark = pytest.mark.plots

BAD = r"a$b^_$ \frac{ $\undefined$ --> &< 酵母"
STEERING = f"{BAD}\x1b[5m\x00\u202e"


def prediction(path: Path, name: str) -> None:
    values = np.linspace(0, 1, 50)
    scores = {"pearson": 1.0, "spearman": 1.0, "r2": 1.0, "mse": 0.0}
    prediction_against_measurement(
        values, values, scores, path, name=name, model=BAD, baselines={BAD + "2": values}
    )


def subsystems(name: str) -> pa.Table:
    row = {"term": name, "name": name, "stratum": 1, "rlipp_gain": 0.1, "rlipp_fdr": 0.01,
           "ablation": 3e-6, "ablation_fdr": 0.01}  # fmt: skip
    return pa.Table.from_pylist([row, row | {"stratum": 2, "ablation_fdr": 0.5}])


def trials(name: str) -> list[Trial]:
    return [
        Trial(number=n, values={"train.lr": 0.01 * n, "model.x": name}, ended=FINISHED, score=0.1,
              best_epoch=1, scores=[0.1], epochs=1, seconds=1.0)
        for n in (1, 2)
    ]  # fmt: skip


def slices(path: Path, name: str) -> None:
    own = trials(name)
    search.slices(
        own, own[0], path, default={}, importances={}, score=BAD,
        space={"train.lr": Range(1e-3, 1e-1, True), "model.x": Choices((name, "other"))},
    )  # fmt: skip


DRAWN: dict[str, Callable[[Path, str], Any]] = {
    "losses": lambda path, _: loss_curves([{"epoch": 1, "train_loss": 1.0}], path),
    "prediction": prediction,
    "comparison": lambda path, _: comparison(
        {"test": {"pearson": 0.5}, "baselines": {BAD: {"test": {"pearson": 0.4}}}}, path
    ),
    "subsystems": lambda path, name: top_subsystems(
        subsystems(name), path, phenotype=name, samples=9
    ),
    "rlipp": lambda path, name: rlipp_by_stratum(subsystems(name), path),
    "trials": lambda path, name: search.history(trials(name), trials(name)[0], path, score=BAD),
    "parameters": slices,
    "ledger": lambda path, _: ledger_waterfall(LEDGER | {"dropped": {BAD: 5}}, path),
    "strata": lambda path, _: strata_sizes(LEDGER, path),
}


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What matplotlib takes for mathematics."""
    found: list[str] = []
    real = MathTextParser.parse

    def parse(self: Any, text: str, *args: Any, **kwargs: Any) -> Any:
        found.append(text)
        return real(self, text, *args, **kwargs)

    monkeypatch.setattr(MathTextParser, "parse", parse)
    return found


@pytest.mark.parametrize("name", [BAD, STEERING])
@pytest.mark.parametrize("what", DRAWN)
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_names_are_drawn_as_they_stand(
    what: str, name: str, suffix: str, tmp_path: Path, parsed: list[str]
) -> None:
    path = tmp_path / f"drawn.{suffix}"
    DRAWN[what](path, name)
    assert parsed == []
    if suffix == "svg":  # one that a browser shows
        ElementTree.parse(path)
        assert not re.search("[\x00\x1b\u202e]", path.read_text(encoding="utf-8"))
    else:
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("size", "tick"), [(3e-6, "2e−06"), (0.025, "0.02"), (4e4, "40000")])
def test_numbers_at_an_axis_are_plain(size: float, tick: str, tmp_path: Path) -> None:
    table = subsystems("t").to_pylist()
    table = pa.Table.from_pylist([row | {"ablation": size} for row in table])
    path = tmp_path / "drawn.svg"
    top_subsystems(table, path, phenotype="p", samples=9)
    drawn = path.read_text(encoding="utf-8")
    assert f"<!-- {tick} -->" in drawn
    assert "$" not in drawn
