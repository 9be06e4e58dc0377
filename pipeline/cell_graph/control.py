"""Controls: cell graphs that keep every size of a real one and lose its meaning.

A model that does as well on a control as on the real hierarchy has gained nothing from it. Pairs
are randomised by a switching chain, as null models of networks are (Maslov and Sneppen 2002,
doi:10.1126/science.1065103): two pairs (a, b) and (c, d) become (a, d) and (c, b) where neither is
there already, so that every member stays in as many pairs as before.

- `genes` switches annotations: every term keeps its number of genes, every gene its number of terms
- `terms` switches edges between children of one stratum and parents of one stratum: every term
  keeps its stratum, and its numbers of children and of parents in each stratum

Both keep the genes that a term of the real hierarchy contains, and so its width.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_specs.cell_graph import CellGraph
from data_specs.errors import ArtefactError
from pipeline.strata import longest_paths

IntArray = npt.NDArray[np.int64]

# A pair. From 5 on the share of pairs that have moved does not grow: it is 92 % of the 70,590
# annotations, and 96 % of the 6,700 edges, of yeast's hierarchy.
ATTEMPTS = 20
WHAT = {"genes": "annotations", "terms": "edges"}  # the pairs that a control switches


@dataclass(frozen=True, slots=True)
class Account:
    """The account of a control.

    Attributes:
        control: `genes` or `terms`.
        seed: of the chain.
        pairs: annotations or edges that there are.
        moved: those of them that the real hierarchy does not have.
    """

    control: str
    seed: int
    pairs: int
    moved: int

    def to_json(self) -> dict[str, Any]:
        """What the ledger holds."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Any, where: Path) -> "Account":
        """The account that `to_json` gave.

        Raises:
            ArtefactError: it is something else.
        """
        try:
            account = cls(**values)
        except TypeError:
            account = cls("", 0, 0, 0)
        numbers = (account.seed, account.pairs, account.moved)
        if account.control not in WHAT or not all(type(n) is int and n >= 0 for n in numbers):
            raise ArtefactError(f"{where}: not the account of a control. Build the data again.")
        return account

    def __str__(self) -> str:
        """One line for the user."""
        what = f"{self.pairs:,} {WHAT[self.control]}"
        done = f"{self.moved / max(1, self.pairs):.1%} of {what} moved"
        if not self.moved:
            done = f"none of {what} moved; this is the real hierarchy"
        return f"{self.control}, seed {self.seed}: {done}"


def controlled(graph: CellGraph, control: str, seed: int) -> tuple[CellGraph, Account]:
    """Randomise a cell graph; terms, genes, strata and contained genes stay as they are.

    Args:
        graph: of the real hierarchy.
        control: `genes` or `terms`.
        seed: another one gives another graph, wherever pairs can be switched in several ways.
    """
    random = np.random.default_rng(seed)
    if control == "genes":
        before, groups = graph.annotations, np.zeros(len(graph.annotations), dtype=np.int64)
        pairs = switched(before, groups, random)
        result = replace(graph, annotations=pairs)
    else:
        before, strata = graph.edges, graph.strata[graph.edges]
        pairs = switched(before, strata[:, 0] * graph.num_strata + strata[:, 1], random)
        result = replace(graph, edges=pairs, heights=_heights(graph, pairs))
    return result, Account(control, seed, len(pairs), moved(before, pairs))


def _heights(graph: CellGraph, edges: IntArray) -> IntArray:
    names = graph.term_ids
    length = longest_paths(names, ((names[c], names[p]) for c, p in edges.tolist()))
    return np.array([length[name] for name in names], dtype=np.int64)


def moved(before: IntArray, now: IntArray) -> int:
    """How many of the pairs that there are now were not there before."""
    return len(set(map(tuple, now.tolist())) - set(map(tuple, before.tolist())))


def switched(pairs: IntArray, groups: IntArray, random: np.random.Generator) -> IntArray:
    """Randomise pairs: every first and every second keeps its number of pairs in each group.

    Args:
        pairs: `[N, 2]`, each once.
        groups: `[N]`, numbers from 0 on; only pairs of one group are switched.
        random: where chance comes from.

    Returns:
        `[N, 2]`, sorted, each once; those that were given, where no two can be switched.
    """
    if not len(pairs):
        return pairs
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    starts = np.cumsum(sizes) - sizes
    one = random.integers(len(pairs), size=ATTEMPTS * len(pairs))
    group = groups[one]
    other = order[starts[group] + random.integers(sizes[group])]
    firsts, seconds = pairs.T.tolist()
    there = set(zip(firsts, seconds, strict=True))
    for i, j in zip(one.tolist(), other.tolist(), strict=True):
        new = (firsts[i], seconds[j]), (firsts[j], seconds[i])
        if new[0] in there or new[1] in there:  # also where both share a member, or are one
            continue
        there -= {(firsts[i], seconds[i]), (firsts[j], seconds[j])}
        there.update(new)
        seconds[i], seconds[j] = seconds[j], seconds[i]
    return np.array(sorted(there), dtype=np.int64)
