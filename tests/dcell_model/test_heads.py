"""Heads as the wild type's and differences say the same as dense ones."""

import numpy as np
import pytest
import torch

from dcell_model.dataset import encode_genotypes
from dcell_model.heads import TouchedHeads, root_of
from dcell_model.loss import dcell_loss
from dcell_model.model import DCell
from tests.hierarchies import random_cell_graph

GRAPH = random_cell_graph(4)
GENOTYPES = [[], [0], [1, 2], [1, 2], [14], [3, 4, 5]]


@pytest.mark.parametrize("phenotypes", [1, 3])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_loss_and_root(phenotypes: int, reduction: str) -> None:
    targets = np.random.default_rng(0).normal(size=(len(GENOTYPES), phenotypes))
    batch = encode_genotypes(GRAPH, GENOTYPES, targets.astype(np.float32))
    model = DCell(GRAPH, phenotypes=phenotypes, engine="incremental").double()
    heads = model(batch, dense=False)
    assert isinstance(heads, TouchedHeads)
    dense = heads.dense()
    torch.testing.assert_close(root_of(heads), root_of(dense))
    losses = [
        dcell_loss(form, batch.phenotypes.double(), model, aux_reduction=reduction)
        for form in (heads, dense)
    ]
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-12, atol=0)
    gradients = [
        torch.autograd.grad(loss, list(model.parameters()), retain_graph=True) for loss in losses
    ]
    for sparse, full in zip(*gradients, strict=True):
        torch.testing.assert_close(sparse, full, rtol=1e-9, atol=1e-11)


def test_only_the_difference_is_kept() -> None:
    batch = encode_genotypes(GRAPH, [[], [14]])
    heads = DCell(GRAPH, engine="incremental").eval()(batch, dense=False)
    assert isinstance(heads, TouchedHeads)
    assert heads.difference.shape == (0, 1)
    assert torch.equal(heads.dense()[:, 0], heads.wild_type)
