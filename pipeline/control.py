"""Controls: cell graphs that keep every size of a real one and lose what it means.

A model that does as well on a control as on the real hierarchy has gained nothing from it. Pairs
are randomised by a switching chain, as null models of networks are (Maslov and Sneppen 2002,
doi:10.1126/science.1065103): two pairs (a, b) and (c, d) become (a, d) and (c, b) where neither is
there already, so that every member stays in as many pairs as before.

- `genes` switches annotations: every term keeps its number of genes, every gene its number of terms
- `terms` switches edges between children of one stratum and parents of one stratum: every term
  keeps its stratum, and its numbers of children and of parents in each stratum

Both keep the genes that a term of the real hierarchy contains, and so its width.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from data_specs.cell_graph import CellGraph
from pipeline.strata import longest_paths

IntArray = npt.NDArray[np.int64]

ATTEMPTS = 20  # a pair: after so many, the share of pairs that have moved does not grow any more
WHAT = {"genes": "annotations", "terms": "edges"}  # what a control switches


@dataclass(frozen=True, slots=True)
class Account:
    """What a control did.

    Attributes:
        control: `genes` or `terms`.
        seed: of the chain.
        pairs: annotations or edges that there are.
        switches: how often two of them were switched.
        moved: those that the real hierarchy does not have.
    """

    control: str
    seed: int
    pairs: int
    switches: int
    moved: int

    def to_json(self) -> dict[str, Any]:
        """What the ledger holds."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Account":
        """What `to_json` gave."""
        return cls(**values)

    def __str__(self) -> str:
        """One line for the user."""
        what = WHAT[self.control]
        done = f"{self.moved / max(1, self.pairs):.1%} of {self.pairs:,} {what} moved"
        if not self.switches:
            done = f"no two of {self.pairs:,} {what} could be switched; all is as it was"
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
        pairs, switches = switched(
            graph.annotations, np.zeros(len(graph.annotations), np.int64), random
        )
        before, result = graph.annotations, replace(graph, annotations=pairs)
    else:
        child, parent = graph.strata[graph.edges].T
        pairs, switches = switched(graph.edges, child * graph.num_strata + parent, random)
        names = graph.term_ids
        heights = longest_paths(names, ((names[c], names[p]) for c, p in pairs.tolist()))
        before, result = graph.edges, replace(
            graph, edges=pairs, heights=np.array([heights[name] for name in names], np.int64)
        )  # fmt: skip
    moved = len(pairs) - len(set(map(tuple, pairs.tolist())) & set(map(tuple, before.tolist())))
    return result, Account(control, seed, len(pairs), switches, moved)


def switched(
    pairs: IntArray, groups: IntArray, random: np.random.Generator
) -> tuple[IntArray, int]:
    """Randomise pairs: every first and every second keeps its number of pairs in each group.

    Args:
        pairs: `[N, 2]`, each once.
        groups: `[N]`, numbers from 0 on; only pairs of one group are switched.
        random: where chance comes from.

    Returns:
        `[N, 2]`, sorted, each once; and how many of the attempts were switches.
    """
    if not len(pairs):
        return pairs, 0
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    starts = np.cumsum(sizes) - sizes
    one = random.integers(len(pairs), size=ATTEMPTS * len(pairs))
    own = groups[one]
    other = order[starts[own] + random.integers(sizes[own])]
    firsts, seconds = pairs.T.tolist()
    switches = 0
    there = set(zip(firsts, seconds, strict=True))
    for i, j in zip(one.tolist(), other.tolist(), strict=True):
        new = (firsts[i], seconds[j]), (firsts[j], seconds[i])
        if new[0] in there or new[1] in there:  # also where both share a member, or are one
            continue
        there -= {(firsts[i], seconds[i]), (firsts[j], seconds[j])}
        there.update(new)
        seconds[i], seconds[j] = seconds[j], seconds[i]
        switches += 1
    return np.array(sorted(there), dtype=np.int64), switches
