"""The heads: sets have no order, padding is nothing, and a gene alone has no others."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dcell_model.graph_models.hyper_sagnn import HyperSAGNN, ReZeroHyperSAGNN

WIDTH = 8
Head = HyperSAGNN | ReZeroHyperSAGNN


@pytest.fixture
def head() -> HyperSAGNN:
    torch.manual_seed(0)
    return HyperSAGNN(WIDTH, 2, phenotypes=2).double()


def rezero(layers: int = 2) -> ReZeroHyperSAGNN:
    """One whose layers have an effect, as after training."""
    torch.manual_seed(0)
    own = ReZeroHyperSAGNN(WIDTH, 2, layers, phenotypes=2).double()
    for number, layer in enumerate(own.layers):
        layer.beta.data.fill_(0.3 + number)
    return own


@pytest.fixture(params=["plain", "rezero"])
def either(request: pytest.FixtureRequest, head: HyperSAGNN) -> Head:
    return head if request.param == "plain" else rezero()


def x(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, WIDTH, dtype=torch.float64)


def full(batch: int, places: int) -> torch.Tensor:
    return torch.ones(batch, places, dtype=torch.bool)


def test_empty_set_scores_zero(either: Head) -> None:
    assert either(x(2, 3), torch.zeros(2, 3, dtype=torch.bool)).tolist() == [[0, 0], [0, 0]]
    assert either(x(0, 1), full(0, 1)).shape == (0, 2)


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
def test_the_order_of_genes_does_not_matter(either: Head, places: int) -> None:
    embedded = x(4, places)
    shuffled = embedded[:, torch.randperm(places)]
    torch.testing.assert_close(either(embedded, full(4, places)), either(shuffled, full(4, places)))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_padding_does_not_matter(either: Head, size: int) -> None:
    embedded = x(4, 5)
    present = torch.arange(5).expand(4, 5) < size
    expected = either(embedded[:, :size], full(4, size))
    for rubbish in (0.0, 1e3):
        padded = torch.where(present.unsqueeze(-1), embedded, torch.tensor(rubbish).double())
        torch.testing.assert_close(either(padded, present), expected)


def test_gradients_are_right_and_finite(either: Head) -> None:
    present = torch.tensor([[True, True, True], [True, False, False], [False, False, False]])
    embedded = x(3, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda e: either(e, present), embedded)
    either(embedded, present).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in either.parameters())


def test_a_gene_alone_stays_as_it_is() -> None:
    own, embedded = rezero(), x(5, 1)
    assert torch.equal(own.dynamic(embedded, full(5, 1)), embedded)


def test_new_layers_add_nothing() -> None:
    torch.manual_seed(0)
    new = ReZeroHyperSAGNN(WIDTH, 2, 3, phenotypes=1).double()
    embedded = x(4, 3)
    assert torch.equal(new.dynamic(embedded, full(4, 3)), embedded)
    new(embedded, full(4, 3)).sum().backward()
    grads = [layer.beta.grad for layer in new.layers]
    assert all(grad is not None and grad.any() for grad in grads)  # so that they can begin to


def one_set(own: ReZeroHyperSAGNN, embedded: torch.Tensor) -> torch.Tensor:
    """The score of one set `[K, D]`, gene by gene and head by head, as the equations say."""
    if not len(embedded):
        return torch.zeros(2).double()
    dynamic = embedded
    for layer in own.layers:
        rows, normed = [], layer.norm(dynamic)
        for i in range(len(dynamic)):
            others = [j for j in range(len(dynamic)) if j != i]
            heard = []
            for part in dynamic.new_tensor(range(WIDTH)).long().chunk(2):
                key, value = (f(normed[others])[:, part] for f in (layer.key, layer.value))
                affinity = key @ layer.query(normed[i])[part] / len(part) ** 0.5
                heard.append(affinity.softmax(0) @ value)
            rows.append(dynamic[i] + layer.beta * torch.tanh(layer.out(torch.cat(heard))))
        dynamic = torch.stack(rows)
    static = own.norm_static(torch.tanh(own.static(embedded)))
    return own.score((own.norm_dynamic(dynamic) - static).square()).mean(0)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5), st.integers(1, 3), st.integers(0, 9))
def test_sets_of_any_sizes_together_are_as_one_by_one(
    sizes: list[int], layers: int, seed: int
) -> None:
    own = rezero(layers)
    torch.manual_seed(seed)
    places = max(1, *sizes, 0)
    embedded, present = x(len(sizes), places), torch.arange(places) < torch.tensor(sizes)[:, None]
    found = own(embedded, present)
    for number, size in enumerate(sizes):
        torch.testing.assert_close(found[number], one_set(own, embedded[number, :size]))
