"""The genotypes that a report shows are the strongest, and the worst of the others."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data_specs.layout import DataLayout
from dcell_model.data.dataset import MutantStateDataset
from dcell_model.dcell.model import DCell
from dcell_model.report.examples import MOVED, SHOWN, examples, pick

values = st.floats(-1, 1, width=32) | st.just(float("nan"))


@given(st.lists(st.tuples(values, st.floats(-1, 1, width=32)), max_size=30))
def test_pick(rows: list[tuple[float, float]]) -> None:
    measured, predicted = (np.array(column) for column in zip(*rows, strict=True)) if rows else (
        np.empty(0), np.empty(0)
    )  # fmt: skip
    strongest, wrong = pick(measured, predicted).values()
    known = np.flatnonzero(~np.isnan(measured))
    assert len(strongest) == min(SHOWN, len(known))
    assert len(wrong) == min(SHOWN, len(known) - len(strongest))
    assert not set(strongest) & set(wrong)
    others = np.setdiff1d(known, strongest)
    if len(others):
        assert np.abs(measured[strongest]).min() >= np.abs(measured[others]).max()
    left = np.setdiff1d(others, wrong)
    if len(left):
        error = np.abs(predicted - measured)
        assert error[wrong].min() >= error[left].max()


def test_what_moved(tiny_build: Path) -> None:
    """It is what `dcell predict --subsystems` calls `state_change`."""
    from dcell_model.predict.tables import predictions, resolve
    from dcell_model.predict.trained import Trained

    layout = DataLayout(tiny_build)
    dataset = MutantStateDataset(layout.store)
    torch.manual_seed(0)
    model = DCell(dataset.graph).eval()
    samples = np.array([0, 3])
    predicted = {"DCell": np.array([0.5, -0.5])}
    found = examples([model], dataset, samples, np.zeros(2), predicted, has_subsystems=True)
    assert [example.predicted["DCell"] for example in found] == [0.5, -0.5]
    trained = Trained.of([model], ["interaction"], (torch.zeros(1), torch.ones(1)))
    for example in found:
        genes = [gene for gene, _ in example.genes]
        (_, _), (_, states) = predictions(trained, resolve(trained, [genes]), subsystems=True)
        assert states is not None
        rows = [row for row in states.to_pylist() if row["stratum"] > 0]
        rows.sort(key=lambda row: -row["state_change"])
        assert [t for t, _, _ in example.moved] == [row["term"] for row in rows[:MOVED]]
        assert [c for _, _, c in example.moved] == pytest.approx(
            [row["state_change"] for row in rows[:MOVED]]
        )
