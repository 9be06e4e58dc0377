import numpy as np
import pytest

from data_specs.errors import ParameterError
from pipeline.simulate import hidden_truth
from pipeline.simulate.cell import Cell
from pipeline.simulate.hidden_truth import (
    Truth,
    additive_fit,
    below,
    choose_planted,
    draw_truth,
    loads,
    response,
    scores,
    sum_effects,
)

# Term 0 over 1 over 2, and 3 beside them; genes a, b in term 2, c in 1, d in 3.
CELL = Cell(
    term_ids=("GO:0", "GO:1", "GO:2", "GO:3"),
    term_names=("top", "middle", "leaf", "aside"),
    namespace=np.zeros(4, dtype=np.int64),
    stratum=np.array([1, 2, 3, 2]),
    edges=np.array([[1, 0], [2, 1], [3, 0]]),
    part_of=np.zeros((0, 2), dtype=np.int64),
    genes=("a", "b", "c", "d"),
    symbols=("A", "B", "C", "D"),
    pairs=np.array([[1, 2], [2, 0], [2, 1], [3, 3]]),
)
TRUTH = Truth(
    planted=np.array([1, 3]),
    importance=np.array([-1.0, 0.5]),
    threshold=np.array([1.5, 0.5]),
    disruption=np.array([1.0, 0.9, 1.1, 1.2]),
    transmission=np.array([0.7, 0.8, 0.6]),
    gene_effect=np.array([0.0, 0.0, 0.01, 0.0]),
)
GENOTYPES = np.array([[0, 1, 2], [0, -1, 3], [-1, -1, -1]])


def passed(load: float) -> float:
    return 3 * float(np.tanh(load / 3))


def test_loads_flow_up_bounded() -> None:
    expected = [[1.0 + 0.8 * passed(0.9 + 1.1), 0.0], [0.8 * passed(0.9), 1.2], [0.0, 0.0]]
    np.testing.assert_allclose(loads(CELL, TRUTH, GENOTYPES), expected)


def test_score_is_the_weighted_sum_of_responses_and_single_effects() -> None:
    got = scores(CELL, TRUTH, GENOTYPES)
    responses = response(loads(CELL, TRUTH, GENOTYPES), TRUTH.threshold)
    np.testing.assert_allclose(got, responses @ [-1.0, 0.5] + [0.01, 0, 0])
    assert got[2] == 0  # the wild type


def test_chunks_change_nothing() -> None:
    many = np.tile(GENOTYPES, (4000, 1))
    np.testing.assert_array_equal(
        scores(CELL, TRUTH, many), np.tile(scores(CELL, TRUTH, GENOTYPES), 4000)
    )


@pytest.mark.parametrize(("kind", "steps"), [("fragile", [0, 1, 1]), ("buffered", [0, 0, 1])])
def test_responses_to_no_one_and_two_losses(kind: str, steps: list[float]) -> None:
    threshold = np.full(3, hidden_truth.THRESHOLDS[kind])
    got = response(np.array([0.0, 1.0, 2.0]), threshold)
    np.testing.assert_allclose(got, steps, atol=0.06)
    assert got[0] == 0


def test_below_is_a_term_and_its_descendants() -> None:
    assert below(CELL, np.array([1])).tolist() == [False, True, True, False]


def test_contained_genes() -> None:
    assert CELL.contained.sum(axis=1).tolist() == [4, 3, 2, 1]


def test_additive_fit_finds_additive_effects() -> None:
    rng = np.random.default_rng(0)
    genotypes = np.stack([rng.permutation(30)[:3] for _ in range(500)])
    genotypes[::5, 0] = -1
    effects = rng.normal(size=32)
    effects[30:] = 0  # never deleted
    found = additive_fit(genotypes, sum_effects(effects, genotypes), 32)
    np.testing.assert_allclose(found, effects, atol=1e-3)


def test_a_cell_with_nowhere_to_hide_a_function() -> None:
    with pytest.raises(ParameterError, match="0 of 4 terms contain 6 genes to half"):
        choose_planted(CELL, 2)


def test_genotypes_that_do_not_interact() -> None:
    single = np.array([[0, -1, -1], [1, -1, -1], [2, -1, -1], [3, -1, -1]])
    with pytest.raises(ParameterError, match="no two deletions of one genotype meet"):
        draw_truth(CELL, TRUTH.planted, np.tile(single, (100, 1)), np.random.default_rng(0))
