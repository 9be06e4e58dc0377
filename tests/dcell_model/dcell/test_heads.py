"""Heads as the wild type's and differences say the same as dense ones."""

import numpy as np
import pytest
import torch

from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.heads import ColumnHeads, root_of
from dcell_model.dcell.loss import dcell_loss
from dcell_model.dcell.model import DCell
from tests.hierarchies import random_cell_graph

GRAPH = random_cell_graph(4)
GENOTYPES = [[], [0], [1, 2], [1, 2], [14], [3, 4, 5]]


@pytest.mark.parametrize("phenotypes", [1, 3])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_and_root(phenotypes: int, reduction: str, weighted: bool) -> None:
    targets = np.random.default_rng(0).normal(size=(len(GENOTYPES), phenotypes))
    batch = encode_genotypes(GRAPH, GENOTYPES, targets.astype(np.float32))
    model = DCell(GRAPH, phenotypes=phenotypes, engine="incremental").double()
    heads = model(batch, dense=False)
    assert isinstance(heads, ColumnHeads)
    dense = heads.dense()
    torch.testing.assert_close(root_of(heads), root_of(dense))
    weights = torch.from_numpy(np.random.default_rng(1).gamma(2, size=targets.shape))
    losses = [
        dcell_loss(
            form, batch.phenotypes.double(), model, aux_reduction=reduction,
            weights=weights if weighted else None,
        )
        for form in (heads, dense)
    ]  # fmt: skip
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-12, atol=0)
    gradients = [
        torch.autograd.grad(loss, list(model.parameters()), retain_graph=True) for loss in losses
    ]
    for sparse, full in zip(*gradients, strict=True):
        torch.testing.assert_close(sparse, full, rtol=1e-9, atol=1e-11)


def test_only_the_difference_is_kept() -> None:
    batch = encode_genotypes(GRAPH, [[], [14]])
    heads = DCell(GRAPH, engine="incremental").eval()(batch, dense=False)
    assert isinstance(heads, ColumnHeads)
    assert heads.difference.shape == (0, 1)
    assert torch.equal(heads.dense()[:, 0], heads.wild_type)


def heads_of(
    wild_type: torch.Tensor, difference: torch.Tensor, term: torch.Tensor, sample: torch.Tensor
) -> ColumnHeads:
    """Heads for 4 samples; the last two entries share the last column."""
    column = torch.tensor([0, 1, 2, 3, 4, 4])
    return ColumnHeads(wild_type, difference, term, column.bincount(), sample, column, samples=4)


def touched(generator: torch.Generator) -> tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]:
    """Heads of 3 terms for 4 samples and 2 phenotypes; one sample touches nothing, another all."""
    term, sample = torch.tensor([0, 0, 1, 1, 2]), torch.tensor([0, 2, 0, 3, 0, 3])
    sizes = ((3, 2), (5, 2), (4, 2))
    values = [
        torch.randn(size, generator=generator, dtype=torch.float64, requires_grad=True)
        for size in sizes
    ]
    return values, term, sample


def test_gradients_of_weighted_errors() -> None:
    generator = torch.Generator().manual_seed(0)
    values, term, sample = touched(generator)
    weights = torch.rand((4, 2), generator=generator, dtype=torch.float64) + 0.1

    def sparse(
        wild_type: torch.Tensor, difference: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        heads = heads_of(wild_type, difference, term, sample)
        return heads.squared_errors(targets, weights)

    def full(
        wild_type: torch.Tensor, difference: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        dense = heads_of(wild_type, difference, term, sample).dense()
        return ((dense - targets).square() * weights).mean(dim=(1, 2))

    assert torch.autograd.gradcheck(sparse, values)
    torch.testing.assert_close(sparse(*values), full(*values), rtol=1e-12, atol=0)
    gradients = [torch.autograd.grad(form(*values).sum(), values) for form in (sparse, full)]
    for own, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-11, atol=1e-14)


def test_equal_weights_are_none() -> None:
    (wild_type, difference, targets), term, sample = touched(torch.Generator().manual_seed(1))
    heads = heads_of(wild_type, difference, term, sample)
    alike = heads.squared_errors(targets, torch.ones_like(targets))
    torch.testing.assert_close(alike, heads.squared_errors(targets), rtol=1e-13, atol=0)
    torch.testing.assert_close(
        heads.squared_errors(targets, 3 * torch.ones_like(targets)), 3 * alike
    )
