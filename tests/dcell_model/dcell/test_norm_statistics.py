"""Evaluation normalises with the statistics of one large batch, at the weights as they are."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from data_specs.errors import InputError
from data_specs.layout import DataLayout
from data_specs.parameters.sections import Model, resolve
from data_specs.tables import PARTS
from dcell_model import train
from dcell_model.checkpoint import format as checkpoint
from dcell_model.checkpoint.trained_sections import trained_sections
from dcell_model.data.dataset import MutantStateBatch, MutantStateDataset
from dcell_model.data.targets import read_parts
from dcell_model.dcell.heads import root_of
from dcell_model.dcell.model import DCell
from dcell_model.dcell.norm_statistics import take_statistics
from dcell_model.train.resumption import refuse_changes


def model_and_batch(data: Path, **config: object) -> tuple[DCell, MutantStateBatch]:
    dataset = MutantStateDataset(DataLayout(data).store)
    torch.manual_seed(0)
    model = DCell(dataset.graph, Model(**config)).double()  # type: ignore[arg-type]
    return model, dataset.batch(range(len(dataset)))


@pytest.mark.parametrize("norm_order", ["act_norm", "norm_act"])
def test_evaluation_is_training_on_that_batch(simulated_build: Path, norm_order: str) -> None:
    """Exactly: a variance n / (n − 1) times as large at every term is another model at the root."""
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
    assert (near - trained).abs().max() < 1e-9 * spread
    assert (far - trained).abs().max() > 0.5 * spread


@pytest.mark.parametrize("config", [{}, {"layers": 2}, {"gene_embedding": 3}])
def test_it_is_what_the_reference_measures(
    simulated_build: Path, config: dict[str, object]
) -> None:
    model, batch = model_and_batch(simulated_build, **config)
    reference, _ = model_and_batch(simulated_build, **config)
    reference.engine = "reference"
    with torch.no_grad():
        for buffer in (reference.running_mean, reference.running_var):
            buffer.zero_()
        reference(batch)
    take_statistics(model, batch)
    torch.testing.assert_close(model.running_mean, reference.running_mean * 10)
    biased = (len(batch) - 1) / len(batch)
    found, expected = model.running_var, reference.running_var * 10 * biased
    torch.testing.assert_close(found[expected > 1e-20], expected[expected > 1e-20])


def test_what_no_sample_touches_is_passed_on_as_it_is(simulated_build: Path) -> None:
    model, batch = model_and_batch(simulated_build)
    dataset = MutantStateDataset(DataLayout(simulated_build).store)
    few = dataset.batch([0, 1])
    model.running_var.fill_(1e-12)  # what is left after many batches that did not touch it
    take_statistics(model, few)
    kept = model.running_var == 1
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
    for norm in ("layer", "none"):
        model, batch = model_and_batch(simulated_build, norm=norm)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        take_statistics(model, batch)
        assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_failure_leaves_all_as_it_was(simulated_build: Path) -> None:
    model, _ = model_and_batch(simulated_build)
    model.eval().running_mean.fill_(3)
    model.running_var.fill_(5)
    engine, one = model.engine, MutantStateDataset(DataLayout(simulated_build).store).batch([0])
    with pytest.raises(ValueError, match="one sample"):
        take_statistics(model, one)
    assert (model.training, model.engine) == (False, engine)
    assert bool((model.running_mean == 3).all() and (model.running_var == 5).all())


def test_a_checkpoint_holds_them(simulated_build: Path, tmp_path: Path) -> None:
    layout = DataLayout(simulated_build)
    dataset = MutantStateDataset(layout.store)
    for samples, same in ((8192, True), (0, False)):
        given = {"epochs": 2, "norm_samples": samples, "phenotypes": ["interaction"]}
        out = tmp_path / str(samples)
        train.run(layout.root, out, resolve({"train": given}))
        state = checkpoint.load(out / "checkpoint.pt")
        (model,) = checkpoint.restore(state, None, out / "checkpoint.pt")
        held = model.running_var.clone()
        training = np.flatnonzero(read_parts(layout) == PARTS.index("train"))
        take_statistics(model, dataset.batch(training))
        assert torch.equal(model.running_var, held) == same


def test_a_run_of_an_earlier_version_goes_on_as_it_began(tmp_path: Path) -> None:
    """With running averages: its checkpoint does not name the parameter."""
    given = {"train": {"epochs": 3, "norm_samples": 0}}
    sections = trained_sections(resolve(given))
    del sections["train"]["norm_samples"]
    old = json.dumps(sections)
    refuse_changes(old, resolve(given), tmp_path)
    with pytest.raises(InputError, match=r"was trained with train\.norm_samples=0, now it is 8192"):
        refuse_changes(old, resolve({"train": {"epochs": 3}}), tmp_path)
