"""The cell with and without genes: what the plain removal gives, for sets of any size."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dcell_model.graph_models.gene_sets import pad
from dcell_model.graph_models.multigraph.global_branch import CellDifference, Gate

GENES, WIDTH = 9, 6
SETS = st.lists(st.lists(st.integers(0, GENES - 1), max_size=GENES - 1, unique=True), max_size=5)


def branch() -> CellDifference:
    torch.manual_seed(0)
    return CellDifference(WIDTH, phenotypes=2).double()


def embedded() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(GENES, WIDTH, dtype=torch.float64)


def padded(sets: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    owner = torch.tensor([n for n, own in enumerate(sets) for _ in own], dtype=torch.int64)
    genes = torch.tensor([gene for own in sets for gene in own], dtype=torch.int64)
    return pad(owner, genes, len(sets))


def mean_of(own: CellDifference, x: torch.Tensor) -> torch.Tensor:
    grade = own.weight(x).exp()
    mean: torch.Tensor = (grade * own.value(x)).sum(0) / grade.sum()
    return mean


@given(SETS)
def test_it_is_the_difference_of_the_pools_with_and_without(sets: list[list[int]]) -> None:
    own, x = branch(), embedded()
    found = own.difference(x, *padded(sets))
    assert found.shape == (len(sets), WIDTH)
    for number, genes in enumerate(sets):
        left = [gene for gene in range(GENES) if gene not in genes]
        expected = GENES * (mean_of(own, x) - mean_of(own, x[left]))
        torch.testing.assert_close(found[number], expected)


def test_a_cell_without_any_gene_is_finite() -> None:
    own, x = branch(), embedded().requires_grad_()
    score = own(x, *padded([list(range(GENES)), []]))
    score.sum().backward()
    assert score.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    torch.testing.assert_close(score[1], own.score(torch.zeros(WIDTH).double()))


def test_gradients() -> None:
    own, sets = branch(), padded([[0], [3, 1], []])
    assert torch.autograd.gradcheck(lambda x: own(x, *sets), embedded().requires_grad_())


@pytest.mark.parametrize("phenotypes", [1, 3])
def test_the_gate_lies_between_both(phenotypes: int) -> None:
    torch.manual_seed(0)
    gate = Gate(WIDTH).double()
    a, b = torch.randn(2, 20, phenotypes, dtype=torch.float64)
    joined = gate(a, b)
    assert ((joined - a) * (joined - b) <= 0).all()
    torch.testing.assert_close(gate(a, a), a)
