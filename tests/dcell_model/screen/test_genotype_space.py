"""Every genotype once, whatever the parts."""

import itertools

import numpy as np
import pytest

from dcell_model.screen.genotype_space import GenotypeSpace, Part, combinations


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_combinations(n: int, k: int) -> None:
    expected = np.array(list(itertools.combinations(range(n), k))).reshape(-1, k)
    np.testing.assert_array_equal(combinations(n, k, 0, len(expected)), expected)
    np.testing.assert_array_equal(combinations(n, k, 1, 5)[: len(expected)], expected[1:5]) if (
        len(expected) >= 5
    ) else None


def test_last_pairs_of_yeast() -> None:
    total = 6003 * 6002 // 2
    assert combinations(6003, 2, total - 2, total).tolist() == [[6000, 6002], [6001, 6002]]


@pytest.mark.parametrize("rows", [1, 4, 1000])
@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("queries", [((),), ((0,),), ((0,), (1, 4), (5,)), ((2, 3), (2,))])
def test_each_genotype_once(order: int, rows: int, queries: tuple[tuple[int, ...], ...]) -> None:
    genes = np.array([0, 1, 2, 4, 5, 8])  # the query gene 3 is none of those to combine
    space = GenotypeSpace(genes, order, queries)
    found = [tuple(row) for part in space.parts(rows) for row in space.genotypes(part).tolist()]
    alphabet = sorted({*genes.tolist(), *itertools.chain.from_iterable(queries)})
    expected = {
        own
        for own in itertools.combinations(alphabet, order)
        if any(set(q) <= set(own) and set(own) - set(q) <= set(genes.tolist()) for q in queries)
    }
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_parts_do_not_span_queries() -> None:
    space = GenotypeSpace(np.arange(5), 2, ((0,), (1,)))
    assert list(space.parts(3)) == [Part(0, 0, 3), Part(0, 3, 4), Part(1, 0, 3), Part(1, 3, 4)]
    assert len(space) == 8
