"""Evaluation normalises with the statistics of one large batch, at the weights as they are."""

from pathlib import Path

import numpy as np
import pytest
import torch

from data_specs.layout import DataLayout
from data_specs.parameters import Model, resolve
from data_specs.tables import PARTS
from dcell_model import checkpoint, train
from dcell_model.dataset import MutantStateBatch, MutantStateDataset
from dcell_model.heads import root_of
from dcell_model.model import DCell
from dcell_model.norm_statistics import take_statistics
from dcell_model.targets import read_parts


def model_and_batch(data: Path, **config: object) -> tuple[DCell, MutantStateBatch]:
    dataset = MutantStateDataset(DataLayout(data).store)
    torch.manual_seed(0)
    model = DCell(dataset.graph, Model(**config)).double()  # type: ignore[arg-type]
    return model, dataset.batch(range(len(dataset)))


@pytest.mark.parametrize("norm_order", ["act_norm", "norm_act"])
def test_evaluation_is_training_on_that_batch(simulated_build: Path, norm_order: str) -> None:
    """But for n / (n − 1) in every variance, 2 in 1000 here, once a stratum."""
    model, batch = model_and_batch(simulated_build, norm_order=norm_order)
    model.running_mean.fill_(7)
    model.running_var.fill_(7)
    with torch.no_grad():
        trained = root_of(model(batch, dense=False))
        far = root_of(model.eval()(batch, dense=False))
        engine = model.engine
        take_statistics(model, batch)
        near = root_of(model(batch, dense=False))
    assert not model.training
    assert model.engine == engine
    spread = trained.std()
    assert (near - trained).abs().max() < 0.05 * spread
    assert (far - trained).abs().max() > 0.5 * spread


def test_it_is_what_the_reference_measures(simulated_build: Path) -> None:
    model, batch = model_and_batch(simulated_build)
    reference, _ = model_and_batch(simulated_build)
    reference.engine = "reference"
    with torch.no_grad():
        for buffer in (reference.running_mean, reference.running_var):
            buffer.zero_()
        reference(batch)
    take_statistics(model, batch)
    torch.testing.assert_close(model.running_mean, reference.running_mean * 10)
    found, expected = model.running_var, reference.running_var * 10
    torch.testing.assert_close(found[expected > 1e-20], expected[expected > 1e-20])


def test_what_no_sample_touches_keeps_its_variance(simulated_build: Path) -> None:
    model, batch = model_and_batch(simulated_build)
    dataset = MutantStateDataset(DataLayout(simulated_build).store)
    few = dataset.batch([0, 1])
    model.running_var.fill_(0.25)
    take_statistics(model, few)
    kept = model.running_var == 0.25
    assert 0 < int(kept.sum()) < len(kept)
    touched = torch.zeros(model.graph.num_terms, dtype=torch.bool)
    model.engine = "incremental"
    with torch.no_grad():
        touched[model.eval()(few, dense=False).term] = True
    rows = touched[torch.from_numpy(model.layout.row_term)]
    assert bool(kept[~rows].all())
    with torch.no_grad():
        assert root_of(model(batch, dense=False)).isfinite().all()


def test_other_norms_are_left_alone(simulated_build: Path) -> None:
    model, batch = model_and_batch(simulated_build, norm="layer")
    take_statistics(model, batch)


def test_a_checkpoint_holds_them(simulated_build: Path, tmp_path: Path) -> None:
    layout = DataLayout(simulated_build)
    dataset = MutantStateDataset(layout.store)
    for samples, same in ((16384, True), (0, False)):
        given = {"epochs": 2, "norm_samples": samples, "phenotypes": ["interaction"]}
        out = tmp_path / str(samples)
        train.run(layout.root, out, resolve({"train": given}))
        state = checkpoint.load(out / "checkpoint.pt")
        model = checkpoint.restore(state, None, out / "checkpoint.pt")
        held = model.running_var.clone()
        training = np.flatnonzero(read_parts(layout) == PARTS.index("train"))
        take_statistics(model, dataset.batch(training))
        assert torch.equal(model.running_var, held) == same
