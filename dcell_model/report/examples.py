"""A few held-out genotypes: what was measured, what was predicted, which subsystems moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from data_specs.gene_names import GeneNames
from data_specs.gene_states import with_state
from dcell_model.data import MutantState, MutantStateDataset
from dcell_model.dcell import DCell
from dcell_model.dcell.engines import forward_with_states
from dcell_model.predict import FloatArray, IntArray

SHOWN, MOVED = 5, 3  # genotypes of a kind, and subsystems of a genotype


@dataclass(frozen=True, slots=True)
class Example:
    """A genotype.

    Attributes:
        genes: systematic and standard name of each deleted gene.
        measured: the phenotype.
        predicted: by the name of each model, the trained one first.
        moved: id, name and `state_change` of the terms that moved most; empty without subsystems.
    """

    genes: list[tuple[str, str]]
    measured: float
    predicted: Mapping[str, float]
    moved: list[tuple[str, str, float]]


def pick(measured: FloatArray, predicted: FloatArray) -> dict[str, IntArray]:
    """Rows `[≤ 5]` of the strongest measurements, and of the largest errors among the others."""
    known = np.flatnonzero(~np.isnan(measured))
    strongest = known[np.argsort(-np.abs(measured[known]), kind="stable")][:SHOWN]
    others = np.setdiff1d(known, strongest)
    error = np.abs(predicted[others] - measured[others])
    wrong = others[np.argsort(-error, kind="stable")][:SHOWN]
    return {"the strongest measured": strongest, "the largest errors of all others": wrong}


def examples(
    members: Sequence[Any],
    dataset: MutantStateDataset,
    samples: IntArray,
    measured: FloatArray,
    predicted: Mapping[str, FloatArray],
    *,
    has_subsystems: bool,
) -> list[Example]:
    """The page's rows for samples `[n]`.

    Args:
        members: the trained model's.
        dataset: the store.
        samples: numbers of samples.
        measured: `[n]`.
        predicted: `[n]` by model.
        has_subsystems: whether the model has terms that may have moved.
    """
    names, ids = GeneNames.of(dataset.graph), dataset.gene_ids
    moved = _moved(members, dataset, samples) if has_subsystems else [[] for _ in samples]
    return [
        Example(
            genes=_genes(dataset[int(sample)], ids, names),
            measured=float(measured[row]),
            predicted={name: float(values[row]) for name, values in predicted.items()},
            moved=moved[row],
        )
        for row, sample in enumerate(samples)
    ]


def _genes(sample: MutantState, ids: Sequence[str], names: GeneNames) -> list[tuple[str, str]]:
    """The names; a state other than 0 stands behind the symbol."""
    found = [(ids[gene], names.symbol(ids[gene])) for gene in sample.genes]
    states = sample.states.tolist()
    return [(own, with_state(symbol, s)) for (own, symbol), s in zip(found, states, strict=True)]


@torch.no_grad()
def _moved(
    members: Sequence[DCell], dataset: MutantStateDataset, samples: IntArray
) -> list[list[tuple[str, str, float]]]:
    batch = dataset.batch(samples)
    found_by = [forward_with_states(member, batch) for member in members]
    heads = found_by[0][0]  # all members have the same terms in the same order
    sample, term = heads.sample.numpy(), heads.entry_terms().numpy()
    change = torch.stack([changes.double() for _, changes in found_by]).mean(dim=0).numpy()
    graph, found = members[0].graph, []
    for row in range(len(samples)):
        mine = np.flatnonzero((sample == row) & (term > 0))  # the root is the prediction
        mine = mine[np.lexsort((term[mine], -change[mine]))][:MOVED]
        found.append([
            (graph.term_ids[term[i]], graph.term_names[term[i]], float(change[i])) for i in mine
        ])  # fmt: skip
    return found
