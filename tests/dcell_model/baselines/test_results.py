"""What the stage writes can be read again, and only for what it was written of."""

import json
from pathlib import Path

import numpy as np
import pytest

from data_specs.errors import ArtefactError
from data_specs.layout import DataLayout
from data_specs.parameters.sections import resolve
from data_specs.tables import EXCLUDED
from dcell_model.baselines import read_predictions, read_samples, run
from dcell_model.scores import part_scores
from tests.conftest import tiny_parameters


def test_run(tiny_build: Path, tmp_path: Path) -> None:
    parameters = resolve(tiny_parameters(baselines={"mlp_epochs": 2, "fm_sweeps": 2}))
    result = run(tiny_build, tmp_path / "baselines.json", parameters)
    written = json.loads((tmp_path / "baselines.json").read_text())
    assert written == result
    assert list(written) == ["mean", "ridge", "fm", "mlp"]
    assert written["mean"]["test"]["pearson"] is None
    assert written["ridge"]["alpha"] in parameters.baselines.ridge_alphas
    assert all("val" in scored and "seconds" in scored for scored in written.values())
    dataset, targets, parts = read_samples(DataLayout(tiny_build), parameters)
    used = np.flatnonzero(parts != EXCLUDED)
    found = read_predictions(tmp_path / "baselines.json", used, dataset.phenotypes)
    for name, predicted in found.items():
        assert part_scores(predicted, targets[used], parts[used], dataset.phenotypes).items() <= (
            result[name].items()
        )
    with pytest.raises(ArtefactError, match="fitted on other samples"):
        read_predictions(tmp_path / "baselines.json", used[1:], dataset.phenotypes)
    with pytest.raises(ArtefactError, match="Fit the baselines again"):
        read_predictions(tmp_path / "baselines.json", used, ["viability"])
