"""With some hundred genotypes the default recipe still predicts better than the mean."""

from pathlib import Path

import numpy as np
import pytest

from data_specs.layout import DataLayout
from data_specs.parameters.sections import resolve
from data_specs.tables import TRAIN, VAL
from dcell_model.baselines import read_samples
from dcell_model.bench.recipe import measure
from pipeline.build import build

# A screen that is small, too: most genes are deleted in more than a dozen genotypes.
SMALL = {"genes": 100, "terms": 60, "annotations": 600, "queries": 10, "arrays": 60,
         "triples": 400}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(resolve({"simulate": SMALL}), tmp_path_factory.mktemp("small") / "build").root


def test_five_hundred_genotypes_beat_the_mean(data: Path) -> None:
    _, targets, parts = read_samples(DataLayout(data), resolve({}))
    assert len(parts) == 500
    mean = targets[parts == TRAIN].mean()
    found = measure(data, [], seed=0, split=None)
    assert found["test"]["r2"] > 0
    assert found["val"]["mse"] < np.square(targets[parts == VAL] - mean).mean()
