"""Predictions for genotypes that need no labels: a table of them, and one of their subsystems.

`dcell predict` writes both. A row of the first is a genotype:

- `genotype`: its number, from 0, in the order given; `given`: its genes as they were written
- `genes`: systematic names of those that the model knows, sorted, joined by `|`; `known`: how many
- `unknown`: names of those that it does not know, joined by `|`; they are taken as wild type
- `unseen`: those of `genes` that no genotype of the training part had deleted, joined by `|`
- `NAME_predicted`, for every phenotype, in its own units, calibrated
  (`dcell_model.checkpoint.calibration`)
- `NAME_low`, `NAME_high`: the ends of its interval, unless the model had no validation part; at a
  level of 0.9 nine of ten genotypes like those of training lie between. It does not hold for
  others, such as those with `unseen` genes
- `NAME_spread`, of an ensemble: standard deviation of its members' predictions, which is no
  interval

All else of an ensemble is the mean of its members.

A row of the second is a subsystem of a genotype, or with no genotype one of the wild type:

- `genotype`, `term`, `name`, `stratum`
- `NAME_predicted`: the prediction of the term's own head; `NAME_change`: less the wild type's
- `state_change`: root mean square, over the term's output neurons, of their difference from the
  wild type's; 0 in the wild type

Deletions leave most terms as they are: the wild type's rows name all T terms, a genotype's only
those that its deletions reach. A term that is missing there is exactly as in the wild type.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from data_specs.errors import InputError
from data_specs.gene_states import with_state
from dcell_model.checkpoint import LEVEL, Predictions
from dcell_model.data import MutantStateBatch
from dcell_model.dcell import root_of
from dcell_model.dcell.engines import forward_with_states
from dcell_model.models import record_of
from dcell_model.predict.trained import IntArray, Trained


@dataclass(frozen=True, slots=True)
class Resolved:
    """Genotypes in the cell graph's numbers.

    Attributes:
        given: names as written, by genotype.
        offsets: `[N + 1]` int64, where each genotype's genes begin in `genes`.
        genes: int64 indices, sorted within a genotype, each once.
        states: float32 of these genes; None if all are 0.
        unknown: names of genes that the model does not know, by genotype.
    """

    given: Sequence[Sequence[str]]
    offsets: IntArray
    genes: IntArray
    unknown: Sequence[Sequence[str]]
    states: npt.NDArray[np.float32] | None = None

    def unknown_names(self) -> list[str]:
        """All of them, each once, sorted."""
        return sorted({name for names in self.unknown for name in names})


def resolve(
    trained: Trained,
    genotypes: Sequence[Sequence[str]],
    called: Sequence[str] | None = None,
) -> Resolved:
    """Find the genes of genotypes by any of their names.

    Args:
        trained: the model.
        genotypes: names of genes.
        called: what is `given`, by genotype, where it is not these names.

    As in a build, a name of no gene, or of several, is that of a gene without annotation.

    Raises:
        InputError: a state that is none, of one gene in a genotype two states, or states for a
            model that knows none.
    """
    parts = {part: trained.names.name_and_state(part) for own in genotypes for part in own}
    index = {part: trained.names.number(name) for part, (name, _) in parts.items()}
    rows = []
    for own in genotypes:
        found = sorted({(i, parts[n][1]) for n in own if (i := index[n]) is not None})
        for (gene, state), (other, another) in itertools.pairwise(found):
            if gene == other:
                raise InputError(
                    f"'{'|'.join(own)}': {trained.graph.gene_ids[gene]} has the states {state:g} "
                    f"and {another:g}; expected one state a gene"
                )
        rows.append(found)
    states = np.array([state for row in rows for _, state in row], dtype=np.float32)
    graded = bool(states.any())
    if graded and not record_of(trained.kind).grades:
        raise InputError(
            f"a {trained.kind} model knows deletions alone; omit the states behind '='"
        )
    return Resolved(
        given=genotypes if called is None else [[name] for name in called],
        offsets=np.cumsum([0, *map(len, rows)]),
        genes=np.array([gene for row in rows for gene, _ in row], dtype=np.int64),
        unknown=[[parts[n][0] for n in own if index[n] is None] for own in genotypes],
        states=states if graded else None,
    )


def predictions(
    trained: Trained,
    genotypes: Resolved,
    *,
    subsystems: bool = False,
    level: float = LEVEL,
    batch_size: int = 1024,
) -> Iterator[tuple[pa.Table, pa.Table | None]]:
    """Yield both tables piece by piece; the second is None unless asked for.

    Args:
        trained: the model.
        genotypes: of the cell graph's genes.
        subsystems: whether the second table is wanted; of a model that has them.
        level: of the intervals, between 0 and 1.
        batch_size: genotypes at a time.
    """
    if subsystems:
        none = np.zeros(0, dtype=np.int64)
        yield (
            _rows(trained, genotypes, 0, 0, trained.predictions(torch.empty(1, 0, 1)), level),
            _wild_type_rows(trained, none),
        )
    for first in range(0, len(genotypes.given), batch_size):
        last = min(first + batch_size, len(genotypes.given))
        begin, end = genotypes.offsets[[first, last]]
        offsets = genotypes.offsets[first : last + 1] - begin
        states = None if genotypes.states is None else genotypes.states[begin:end]
        batch = trained.encode(offsets, genotypes.genes[begin:end], states)
        members = _members(trained, batch) if trained.has_subsystems else []
        roots = torch.stack([own.root for own in members]) if members else trained.roots_of(batch)
        predicted = trained.predictions(roots)
        table = _rows(trained, genotypes, first, last, predicted, level)
        rows = None
        if subsystems:
            sample, term = members[0].sample, members[0].term  # the same for all
            order = np.lexsort((term, sample))
            columns = (
                torch.stack(column).mean(dim=0)[order]
                for column in zip(*(own.columns() for own in members), strict=True)
            )
            rows = _states(trained, sample[order] + first, term[order], *columns)
        yield table, rows


@dataclass(frozen=True, slots=True)
class _Member:
    """The outputs of one member for a batch, on the CPU.

    Attributes:
        root: `[B, P]`.
        term, sample: `[N]` of every term that deletions reach.
        head, difference: `[N, P]` of its own head, and less the wild type's.
        change: `[N]` of its state.
    """

    root: torch.Tensor
    term: IntArray
    sample: IntArray
    head: torch.Tensor
    difference: torch.Tensor
    change: torch.Tensor

    def columns(self) -> tuple[torch.Tensor, ...]:
        return self.head, self.difference, self.change


@torch.no_grad()
def _members(trained: Trained, batch: MutantStateBatch) -> list[_Member]:
    found = []
    for model in trained.with_subsystems():
        heads, change = forward_with_states(model, batch)
        term, difference = heads.entry_terms(), heads.entry_differences()
        head = difference + heads.wild_type[term]
        found.append(
            _Member(
                root_of(heads).cpu(), term.cpu().numpy(), heads.sample.cpu().numpy(),
                head.cpu(), difference.cpu(), change.cpu(),
            )
        )  # fmt: skip
    return found


def _rows(
    trained: Trained,
    genotypes: Resolved,
    first: int,
    last: int,
    predicted: Predictions,
    level: float,
) -> pa.Table:
    names, offsets = trained.graph.gene_ids, genotypes.offsets
    genes = [genotypes.genes[offsets[n] : offsets[n + 1]] for n in range(first, last)]
    shown = [[names[gene] for gene in own] for own in genes]
    if genotypes.states is not None:
        states = (genotypes.states[offsets[n] : offsets[n + 1]] for n in range(first, last))
        shown = [list(map(with_state, *own)) for own in zip(shown, states, strict=True)]
    columns = {
        "genotype": pa.array(np.arange(first, last)),
        "given": pa.array(["|".join(own) for own in genotypes.given[first:last]], pa.string()),
        "genes": pa.array(["|".join(own) for own in shown], pa.string()),
        "known": pa.array([len(own) for own in genes], pa.int64()),
        "unknown": pa.array(["|".join(own) for own in genotypes.unknown[first:last]], pa.string()),
    }
    new = [[names[gene] for gene in own if not trained.seen_genes[gene]] for own in genes]
    columns["unseen"] = pa.array(["|".join(own) for own in new], pa.string())
    widths = trained.calibration.half_widths(level, predicted.spread)
    of_each = (values.T.numpy() for values in (predicted.values, predicted.spread, widths))
    for name, own, spread, width in zip(trained.phenotypes, *of_each, strict=True):
        columns[f"{name}_predicted"] = pa.array(own)
        if trained.calibration.has_intervals:
            columns[f"{name}_low"] = pa.array(own - width)
            columns[f"{name}_high"] = pa.array(own + width)
        if len(trained.members) > 1:
            columns[f"{name}_spread"] = pa.array(spread)
    return pa.table(columns)


def _wild_type_rows(trained: Trained, none: IntArray) -> pa.Table:
    batch = trained.encode(np.zeros(2, int), none)
    with torch.no_grad():
        heads = [forward_with_states(model, batch)[0] for model in trained.with_subsystems()]
    wild = torch.stack([own.wild_type.cpu() for own in heads]).mean(dim=0)
    terms, nothing = np.arange(len(wild)), torch.zeros_like(wild)
    return _states(trained, None, terms, wild, nothing, nothing[:, 0])


def _states(
    trained: Trained,
    genotype: IntArray | None,
    term: IntArray,
    head: torch.Tensor,
    difference: torch.Tensor,
    change: torch.Tensor,
) -> pa.Table:
    graph = trained.graph
    numbers = pa.nulls(len(term), pa.int64()) if genotype is None else pa.array(genotype)
    texts = {
        name: pa.DictionaryArray.from_arrays(pa.array(term.astype(np.int32)), pa.array(values))
        for name, values in (("term", graph.term_ids), ("name", graph.term_names))
    }
    columns = {"genotype": numbers, **texts, "stratum": pa.array(graph.strata[term])}
    predicted, changed = trained.in_units(head), difference.double() * trained.std
    for number, name in enumerate(trained.phenotypes):
        columns[f"{name}_predicted"] = pa.array(predicted[:, number].contiguous().numpy())
        columns[f"{name}_change"] = pa.array(changed[:, number].contiguous().numpy())
    return pa.table(columns | {"state_change": pa.array(change.double().numpy())})
