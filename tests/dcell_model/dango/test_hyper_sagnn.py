"""The head: sets have no order, padding is nothing, and a gene alone has no others."""

import pytest
import torch

from data_specs.parameters.sections import Dango as DangoConfig
from dcell_model.dango.hyper_sagnn import HyperSAGNN

WIDTH = 8


@pytest.fixture
def head() -> HyperSAGNN:
    torch.manual_seed(0)
    return HyperSAGNN(DangoConfig(width=WIDTH, heads=2), phenotypes=2).double()


def x(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, WIDTH, dtype=torch.float64)


def full(batch: int, places: int) -> torch.Tensor:
    return torch.ones(batch, places, dtype=torch.bool)


def test_empty_set_scores_zero(head: HyperSAGNN) -> None:
    assert head(x(2, 3), torch.zeros(2, 3, dtype=torch.bool)).tolist() == [[0, 0], [0, 0]]
    assert head(x(0, 1), full(0, 1)).shape == (0, 2)


def test_a_gene_alone_has_no_dynamic_embedding(head: HyperSAGNN) -> None:
    embedded = x(5, 1)
    assert not head.dynamic(embedded, full(5, 1)).any()
    expected = head.score(torch.tanh(head.static(embedded)).square())[:, 0]
    torch.testing.assert_close(head(embedded, full(5, 1)), expected)


def test_of_two_genes_each_sees_the_other(head: HyperSAGNN) -> None:
    embedded = x(1, 2)
    torch.testing.assert_close(
        head.dynamic(embedded, full(1, 2)), torch.tanh(head.value(embedded)).flip(1)
    )


def test_a_gene_does_not_see_itself(head: HyperSAGNN) -> None:
    embedded = x(1, 4).requires_grad_()
    head.dynamic(embedded, full(1, 4))[0, 1].sum().backward()
    assert embedded.grad is not None
    # Its own embedding decides whom it asks, but not what it hears.
    head.query.weight.data.zero_()
    embedded.grad = None
    head.dynamic(embedded, full(1, 4))[0, 1].sum().backward()
    assert not embedded.grad[0, 1].any()
    assert embedded.grad[0, [0, 2, 3]].any(dim=-1).all()


@pytest.mark.parametrize("places", [1, 2, 3, 5])
def test_the_order_of_genes_does_not_matter(head: HyperSAGNN, places: int) -> None:
    embedded = x(4, places)
    shuffled = embedded[:, torch.randperm(places)]
    torch.testing.assert_close(head(embedded, full(4, places)), head(shuffled, full(4, places)))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_padding_does_not_matter(head: HyperSAGNN, size: int) -> None:
    embedded = x(4, 5)
    present = torch.arange(5).expand(4, 5) < size
    expected = head(embedded[:, :size], full(4, size))
    for rubbish in (0.0, 1e3):
        padded = torch.where(present.unsqueeze(-1), embedded, torch.tensor(rubbish).double())
        torch.testing.assert_close(head(padded, present), expected)


def test_gradients_are_right_and_finite(head: HyperSAGNN) -> None:
    present = torch.tensor([[True, True, True], [True, False, False], [False, False, False]])
    embedded = x(3, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda e: head(e, present), embedded)
    head(embedded, present).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())
