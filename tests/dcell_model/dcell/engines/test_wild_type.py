"""The wild type in evaluation is computed once, and again when a parameter has changed."""

import pytest
import torch

from data_specs.parameters.sections import Model
from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.model import DCell
from tests.engines import WAYS, running
from tests.hierarchies import random_cell_graph

GRAPH = random_cell_graph(3)
BATCH = encode_genotypes(GRAPH, [[0], [1, 2], []])


def computed(model: DCell) -> bool:
    """Whether one more pass computes the wild type."""
    known = model.wild_type_cache.get(model).numel()
    model(BATCH)
    return not known


def test_kept_until_a_parameter_changes() -> None:
    model = DCell(GRAPH, Model(width_min=3), engine="incremental").eval()
    with torch.no_grad():
        first = model(BATCH)
        assert not computed(model)
        assert torch.equal(model(BATCH), first)
        model.child_weight.mul_(2)
        assert computed(model)
        assert not torch.equal(model(BATCH), first)
        model.running_mean.add_(1)
        assert computed(model)
        assert not computed(model)
        model.load_state_dict(DCell(GRAPH, Model(width_min=3)).state_dict())
        assert computed(model)
        model.double()
        assert computed(model)
    reference = DCell(GRAPH, Model(width_min=3), engine="reference").double().eval()
    reference.load_state_dict(model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(model(BATCH), reference(BATCH))


def test_not_kept_where_gradients_or_training_need_it() -> None:
    model = DCell(GRAPH, Model(width_min=3), engine="incremental").eval()
    model(BATCH)
    assert computed(model)
    model.train()
    with torch.no_grad():
        model(BATCH)
        assert computed(model)


@pytest.mark.parametrize("in_training_mode", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_not_kept_over_a_step_of_a_fused_optimizer(way: str, in_training_mode: bool) -> None:
    """It changes parameters without a word to their version counters."""
    model = DCell(GRAPH, Model(width_min=3, norm="layer")).double().eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    with running(way):
        with torch.no_grad():
            before = model(BATCH)
        model.train(in_training_mode)
        model(BATCH).square().sum().backward()
        optimizer.step()
        model.eval()
        with torch.no_grad():
            after = model(BATCH)
    reference = DCell(GRAPH, Model(width_min=3, norm="layer"), engine="reference").double().eval()
    reference.load_state_dict(model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(after, reference(BATCH))
    assert not torch.equal(before, after)
