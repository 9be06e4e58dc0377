"""The how-tos in Python do what they say: their blocks run, in the order of the page."""

import contextlib
import csv
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dcell_model import open_run
from tests.conftest import CHECKOUT

NO_LIGHTNING = "the how-to of Lightning needs pytorch-lightning, of the extra `lightning`"


def run_page(name: str, build: Path, folder: Path) -> dict[str, Any]:
    """The names that the Python blocks of a how-to leave, run where its build is this one."""
    text = (CHECKOUT / "docs" / "how-to" / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    code = "\n".join(blocks)
    assert len(blocks) == text.count("```python")
    for own in set(re.findall(r"\bdata/(\w+)", code)):
        (folder / "data").mkdir(exist_ok=True)
        (folder / "data" / own).symlink_to(build)
    names: dict[str, Any] = {}
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, name, "exec"), names)  # the page's own code
    return names


def test_training_loop(simulated_build: Path, tmp_path: Path) -> None:
    names = run_page("training-loop.md", simulated_build, tmp_path)
    gradients = [parameter.grad for parameter in names["model"].parameters()]
    assert any(bool(gradient.abs().sum() > 0) for gradient in gradients if gradient is not None)


# Advice on workers and hardware, and what Lightning calls of torch that torch gives up.
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_lightning(simulated_build: Path, tmp_path: Path) -> None:
    pytest.importorskip("pytorch_lightning", reason=NO_LIGHTNING)
    names = run_page("lightning.md", simulated_build, tmp_path)
    (metrics,) = tmp_path.glob("runs/lightning/**/metrics.csv")
    table = list(csv.DictReader(metrics.read_text().splitlines()))
    losses = [float(row["train_loss"]) for row in table if row["train_loss"]]
    assert len(losses) == 20
    assert losses[-1] < losses[0] / 2
    assert float(names["trainer"].callback_metrics["val_pearson"]) > 0.2
    live = tmp_path / "runs/lightning/live/plots/metrics/val/pearson.tsv"
    assert len(live.read_text().splitlines()) == 1 + 20
    assert not (tmp_path / "dvc.yaml").exists()
    data, network = names["data"], names["network"].eval()
    some = data.parts["test"][:5]
    genotypes = np.stack([data.samples[index].genes for index in some]).astype(np.int64)
    trained = open_run(tmp_path / "runs/lightning/model.pt")
    with torch.no_grad():
        expected = network.predict_step(data.samples.batch(some))
    assert trained.predict(genotypes) == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-6)


def test_pytorch_geometric(simulated_build: Path, tmp_path: Path) -> None:
    names = run_page("pytorch-geometric.md", simulated_build, tmp_path)
    assert names["losses"][-1] < names["losses"][0]
    batch, states = names["batch"]["gene"], names["states"]
    expected = [states.samples[index].phenotypes["interaction"] for index in range(4)]
    assert names["y"].tolist() == expected
    assert batch.perturbation_indices_ptr[-1] == len(batch.perturbation_indices)
