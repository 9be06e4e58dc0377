"""The hidden truth of `simulate`: terms that buffer each other's losses, and their visibility.

A deletion disrupts the terms that the gene is annotated to; a term passes its disruption on to its
parents, bounded by a tanh. Some terms are planted: their load is turned into a response that is
not additive. A buffered term stands the first loss and fails at the second; a fragile one fails
at the first, and further losses change nothing. The score is the weighted sum of the responses.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_specs.errors import ParameterError
from data_specs.ragged import ragged_entries
from pipeline.simulate.cell import LEAF_GENES, Bools, Cell, Ints

Floats = NDArray[np.float64]

FRACTION = 0.1  # of the genes, contained by the planted terms, about
SIGNAL = 0.08  # standard deviation of the noise-free scores, in units of epsilon
ADDITIVE_SHARE = 0.25  # of the noise-free variance
CAPACITY = 3.0  # bound of a term's disruption, in losses
STEEPNESS = 6.0
THRESHOLDS = {"fragile": 0.5, "buffered": 1.5}  # losses at which a term fails


@dataclass(frozen=True, slots=True)
class Truth:
    """The hidden function; P planted terms."""

    planted: Ints  # [P] terms
    importance: Floats  # [P] score at full response
    threshold: Floats  # [P] losses at which the term fails
    disruption: Floats  # [A] load that losing the gene puts on the term, by pair of the cell
    transmission: Floats  # [E] share of a child's disruption that its parent feels
    gene_effect: Floats  # [G] additive part


def choose_planted(cell: Cell, count: int) -> Ints:
    """Up to `count` terms below the top that contain about `FRACTION` of the genes, [P], sorted.

    They survive every preset's pruning: none is redundant, none contains fewer than six genes. A
    term with more than half of the genes could not tell them apart.

    Raises:
        ParameterError: no two terms are like that.
    """
    size = cell.contained.sum(axis=1)
    redundant = {p for c, p in cell.edges.tolist() if size[c] == size[p]}
    fit = np.abs(np.log(np.maximum(size, 1) / (FRACTION * len(cell.genes))))
    order = [
        term
        for term in np.lexsort((np.arange(len(fit)), fit)).tolist()
        if cell.stratum[term] > 1
        and term not in redundant
        and LEAF_GENES <= size[term] <= len(cell.genes) / 2
    ]
    if len(order) < 2:
        raise ParameterError(
            f"simulate: {len(order)} of {len(cell.term_ids)} terms contain {LEAF_GENES} genes to "
            "half of the genes; expected at least 2 to hide a function in. Raise simulate.genes, "
            "or lower simulate.annotations."
        )
    return np.array(sorted(order[:count]), dtype=np.int64)


def draw_truth(cell: Cell, planted: Ints, genotypes: Ints, rng: np.random.Generator) -> Truth:
    """Draw the function and scale it so that the genotypes' scores vary by `SIGNAL`.

    Scores are deviations from the prediction by single losses, so most of the additive part is
    removed again: `gene_effect` leaves `ADDITIVE_SHARE` of the variance to it.

    Args:
        cell: the cell.
        planted: terms, [P].
        genotypes: deleted genes, [M, 3], -1 where there are fewer.
        rng: source of randomness.

    Raises:
        ParameterError: these genotypes do not interact at all.
    """
    sign = rng.choice([-1.0, 1.0], len(planted), p=[0.6, 0.4])
    truth = Truth(
        planted=planted,
        importance=sign * rng.uniform(0.5, 1.5, len(planted)),
        threshold=rng.choice(list(THRESHOLDS.values()), len(planted)),
        disruption=rng.uniform(0.8, 1.2, len(cell.pairs)),
        transmission=rng.uniform(0.8, 1.0, len(cell.edges)),
        gene_effect=np.zeros(len(cell.genes)),
    )
    raw = scores(cell, truth, genotypes)
    effects = additive_fit(genotypes, raw, len(cell.genes))
    additive = sum_effects(effects, genotypes)
    rest = raw - additive
    if min(rest.std(), additive.std()) <= 1e-3 * raw.std():
        raise ParameterError(
            "simulate: no two deletions of one genotype meet in a planted term. Raise "
            "simulate.queries, simulate.arrays or simulate.triples."
        )
    keep = np.sqrt(ADDITIVE_SHARE / (1 - ADDITIVE_SHARE) * rest.var() / additive.var())
    scale = SIGNAL / (rest + keep * additive).std()
    return Truth(
        planted=truth.planted,
        importance=scale * truth.importance,
        threshold=truth.threshold,
        disruption=truth.disruption,
        transmission=truth.transmission,
        gene_effect=scale * (keep - 1) * effects,
    )


def scores(cell: Cell, truth: Truth, genotypes: Ints) -> Floats:
    """Noise-free scores of genotypes, [M], in units of epsilon."""
    parts = [
        response(loads(cell, truth, part), truth.threshold) @ truth.importance
        for part in np.array_split(genotypes, max(1, len(genotypes) // 4096))
    ]
    return np.concatenate(parts) + sum_effects(truth.gene_effect, genotypes)


def response(load: Floats, threshold: Floats) -> Floats:
    """From 0 at no loss to 1 well past the threshold."""
    at_zero = 1 / (1 + np.exp(STEEPNESS * threshold))
    return (1 / (1 + np.exp(STEEPNESS * (threshold - load))) - at_zero) / (1 - at_zero)


def loads(cell: Cell, truth: Truth, genotypes: Ints) -> Floats:
    """Load of each planted term in each genotype, [M, P], computed from the leaves up."""
    samples = len(genotypes)
    relevant = below(cell, truth.planted)
    row = np.cumsum(relevant) - 1
    load = np.zeros((int(relevant.sum()), samples))
    pairs = relevant[cell.pairs[:, 0]]
    by_gene = np.argsort(cell.pairs[pairs, 1], kind="stable")
    terms = row[cell.pairs[pairs, 0]][by_gene]
    weights = truth.disruption[pairs][by_gene]
    stop = np.cumsum(np.bincount(cell.pairs[pairs, 1], minlength=len(cell.genes)))
    start = np.concatenate([[0], stop[:-1]])
    for genes in genotypes.T:
        hit = np.flatnonzero(genes >= 0)
        loss, pair = ragged_entries(start[genes[hit]], stop[genes[hit]])
        np.add.at(load, (terms[pair], hit[loss]), weights[pair])
    for edge in reversed(range(len(cell.edges))):
        child, parent = cell.edges[edge]
        if relevant[child] and relevant[parent]:
            felt = CAPACITY * np.tanh(load[row[child]] / CAPACITY)
            load[row[parent]] += truth.transmission[edge] * felt
    planted: Floats = load[row[truth.planted]].T
    return planted


def below(cell: Cell, terms: Ints) -> Bools:
    """The terms and all their descendants, as a mask [T]."""
    result = np.zeros(len(cell.term_ids), dtype=bool)
    result[terms] = True
    for child, parent in cell.edges:
        result[child] |= result[parent]
    return result


def additive_fit(genotypes: Ints, values: Floats, genes: int) -> Floats:
    """Least-squares effect of each gene, [G]; 0 for genes that are never deleted."""
    assayed, columns = np.unique(genotypes, return_inverse=True)
    columns = columns.reshape(genotypes.shape)
    count = len(assayed)
    gram, moment = np.zeros((count, count)), np.zeros(count)
    for a in columns.T:
        moment += np.bincount(a, weights=values, minlength=count)
        for b in columns.T:
            gram += np.bincount(a * count + b, minlength=count**2).reshape(count, count)
    gene = assayed >= 0
    gram, moment = gram[np.ix_(gene, gene)], moment[gene]
    result = np.zeros(genes)
    result[assayed[gene]] = np.linalg.solve(gram + 1e-3 * np.eye(len(gram)), moment)
    return result


def sum_effects(effects: Floats, genotypes: Ints) -> Floats:
    """Sum of the effects, [G], of the deleted genes of each genotype, [M]."""
    total: Floats = np.where(genotypes >= 0, effects[genotypes], 0.0).sum(axis=1)
    return total
