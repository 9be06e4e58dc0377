"""What a batch touches: where samples can differ from the wild type, and through which edges.

A sample touches the terms that its deleted genes are annotated to, and all their ancestors. A
touched (term, sample) is an entry. Entries are sorted by the terms' rank, then by sample; terms are
ranked by width, then in row order, so that the entries of all terms of one width are one table
`[N, width]`, and those of a group are a slice of it.

An edge carries the entries of its child to those of its parent, all of which exist. Edges between
equal widths run together as one batched matrix product; edges with nearly as many entries share a
run, and shorter ones are padded with a row of zeros.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data_specs.cell_graph import IntArray
from data_specs.ragged import ragged_entries
from dcell_model.data import sizes_of
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.ranks import Ranks
from dcell_model.dcell.tensor_fields import TensorFields

# Multiplications by zero that a run may hold: less than what one more run would cost.
PADDING = 200_000


@dataclass(slots=True)
class Touched(TensorFields):
    """The entries of one batch, and its runs of edges. N entries, Q places in runs, C changes.

    Attributes:
        term, rank, sample: `[N]` of every entry.
        starts: `[T + 1]` where the entries of each rank begin.
        child, parent: `[Q]` by run, edge and place: the child's and the parent's entry, each in
            the table of its width; beyond the last where the place is padding.
        runs: `[runs, 5]` on the CPU: set, entries an edge, edges, and where the run begins among
            edges and places.
        edge_input: by run and edge, the row of the group's child weights.
        change_entry, change_input: `[C]` sorted by rank: the entry in its group that a deleted
            gene changes directly, and the row of the group's gene weights.
        change_size: `[C]` float64, 1 less the gene's state; empty where all states are 0.
        change_bounds: `[2, groups]` on the CPU: where the changes of each group begin and end.
    """

    term: Tensor
    rank: Tensor
    sample: Tensor
    starts: Tensor
    child: Tensor
    parent: Tensor
    runs: Tensor
    edge_input: Tensor
    change_entry: Tensor
    change_input: Tensor
    change_size: Tensor
    change_bounds: Tensor


def touched_entries(
    layout: SubsystemLayout,
    term: Tensor,
    gene: Tensor,
    sample: Tensor,
    deleted_sample: Tensor,
    deleted_gene: Tensor,
    samples: int,
    state: Tensor | None = None,
) -> Touched:
    """Find the entries and runs of a batch (arguments as in `MutantStateBatch`)."""
    ranks = Ranks.of(layout)
    device = sample.device
    known = deleted_gene < layout.graph.num_genes  # genes without annotation touch nothing
    deleted_gene, deleted_sample = deleted_gene[known], deleted_sample[known]
    gene_starts = ranks.on(device, "touched_starts")
    owner, place = ragged_entries(gene_starts[deleted_gene], gene_starts[deleted_gene + 1])
    keys = ranks.on(device, "touched_ranks")[place] * samples + deleted_sample[owner]
    return entries_of(layout, torch.unique(keys), term, gene, sample, samples, state)


def entries_of(
    layout: SubsystemLayout, keys: Tensor, term: Tensor, gene: Tensor, sample: Tensor,
    samples: int, state: Tensor | None = None,
) -> Touched:  # fmt: skip
    """The runs of given entries.

    Args:
        layout: the subsystems.
        keys: `[N]` rank · samples + sample of every entry, sorted; with an entry come those of all
            the term's ancestors.
        term: `[C]` of every changed row; each has an entry.
        gene: `[C]` deleted gene of the row.
        sample: `[C]` sample of the row.
        samples: how many.
        state: `[C]` of the row; none: all are 0.
    """
    ranks = Ranks.of(layout)
    device = sample.device

    def tensor(values: IntArray) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(values), device=device)

    rank, of_sample = keys // samples, keys % samples
    every_rank = torch.arange(layout.graph.num_terms + 1, device=device)
    starts = torch.searchsorted(keys, every_rank * samples)
    entry_of = torch.empty(layout.graph.num_terms * samples, dtype=torch.int64, device=device)
    entry_of[keys] = torch.arange(len(keys), device=device)

    begin = starts.cpu().numpy()
    class_begin = np.array([begin[ranks.classes[c].start] for c in ranks.class_of_rank])
    class_end = np.array([begin[ranks.classes[c].stop] for c in ranks.class_of_rank])
    group_begin = np.array([begin[ranks.groups[g].start] for g in ranks.group_of_rank])
    edges, padded, runs = runs_of(ranks, np.diff(begin)[ranks.edge_child])
    child_rank, parent_rank = ranks.edge_child[edges], ranks.edge_parent[edges]
    columns = np.stack(
        [
            np.diff(begin)[child_rank],
            begin[child_rank],
            np.cumsum(padded) - padded,
            parent_rank * samples,
            class_begin[child_rank],
            (class_end - class_begin)[child_rank],
            class_begin[parent_rank],
            (class_end - class_begin)[parent_rank],
        ]
    )
    edge = torch.arange(len(edges), device=device).repeat_interleave(tensor(padded))
    used, child_first, before, row, child_from, child_beyond, parent_from, parent_beyond = tensor(
        columns
    )
    within = torch.arange(len(edge), device=device) - before[edge]
    real = within < used[edge]
    child = torch.where(real, child_first[edge] + within, 0)
    parent = entry_of[torch.where(real, row[edge] + of_sample[child], keys[0] if len(keys) else 0)]

    change_rank = ranks.on(device, "rank")[term]
    change_rank, order = change_rank.sort(stable=True)
    pair = torch.searchsorted(
        ranks.on(device, "pair_key"), (term * layout.graph.num_genes + gene)[order]
    )
    change_entry = entry_of[change_rank * samples + sample[order]]
    change_entry -= tensor(group_begin)[change_rank]
    bounds = tensor(np.array([s.start for s in ranks.groups] + [s.stop for s in ranks.groups]))
    return Touched(
        term=ranks.on(device, "terms")[rank],
        rank=rank,
        sample=of_sample,
        starts=starts,
        child=torch.where(real, child - child_from[edge], child_beyond[edge]),
        parent=torch.where(real, parent - parent_from[edge], parent_beyond[edge]),
        runs=torch.from_numpy(runs),
        edge_input=tensor(ranks.edge_input[edges]),
        change_entry=change_entry,
        change_input=ranks.on(device, "pair_input")[pair],
        change_size=keys.new_empty(0).double() if state is None else sizes_of(state)[order],
        change_bounds=torch.searchsorted(change_rank, bounds).view(2, -1).cpu(),
    )


def runs_of(ranks: Ranks, carried: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Cut the edges with entries into runs.

    Args:
        ranks: the edges E.
        carried: `[E]` entries that each carries.

    Returns:
        The edges in the order of the runs, the entries that each is padded to, and
        `[runs, 5]` as in `Touched.runs`.
    """
    edges = np.flatnonzero(carried > 0)
    own = carried[edges]
    order = np.lexsort((-own, ranks.edge_set[edges]))
    edges, own = edges[order], own[order]
    number = ranks.edge_set[edges]
    # Equal sizes, longest first, with how many edges have them.
    new = np.flatnonzero((np.diff(number, prepend=-1) != 0) | (np.diff(own, prepend=-1) != 0))
    count = np.diff(np.append(new, len(edges)))
    levels = np.stack([number[new], own[new], count, ranks.set_area[number[new]]], axis=1)
    runs: list[list[int]] = []
    before, waste = -1, 0
    for of_set, size, n, area in levels.tolist():
        added = (runs[-1][1] - size) * n * area if of_set == before else 0
        if of_set == before and waste + added <= PADDING:
            runs[-1][2] += n
            waste += added
        else:
            runs.append([of_set, size, n])
            before, waste = of_set, 0
    table = np.array(runs, dtype=np.int64).reshape(-1, 3)
    first = np.cumsum(table[:, 2]) - table[:, 2]
    places = table[:, 1] * table[:, 2]
    padded = np.repeat(table[:, 1], table[:, 2])
    return edges, padded, np.column_stack([table, first, np.cumsum(places) - places])


@torch.library.custom_op("dcell::touched", mutates_args=())
def touch(
    term: Tensor, gene: Tensor, sample: Tensor, deleted_sample: Tensor, deleted_gene: Tensor,
    samples: int, handle: int, state: Tensor | None = None,
) -> list[Tensor]:  # fmt: skip
    """The fields of `Touched`."""
    layout = SubsystemLayout.find(handle)
    return touched_entries(
        layout, term, gene, sample, deleted_sample, deleted_gene, samples, state
    ).to_list()


def dynamic(like: Tensor, *width: int) -> Tensor:
    """A fake tensor whose length depends on the data."""
    return like.new_empty((torch.library.get_ctx().new_dynamic_size(), *width))


@touch.register_fake
def _(
    term: Tensor, gene: Tensor, sample: Tensor, deleted_sample: Tensor, deleted_gene: Tensor,
    samples: int, handle: int, state: Tensor | None = None,
) -> list[Tensor]:  # fmt: skip
    layout = SubsystemLayout.find(handle)
    entries, places = dynamic(term), dynamic(term)
    cpu = torch.device("cpu")
    return Touched(
        term=entries,
        rank=torch.empty_like(entries),
        sample=torch.empty_like(entries),
        starts=term.new_empty(layout.graph.num_terms + 1),
        child=places,
        parent=torch.empty_like(places),
        runs=dynamic(term, 5).to(cpu),
        edge_input=dynamic(term),
        change_entry=torch.empty_like(term),
        change_input=torch.empty_like(term),
        change_size=(term.new_empty(0) if state is None else torch.empty_like(term)).double(),
        change_bounds=term.new_empty((2, len(layout.groups)), device=cpu),
    ).to_list()
