"""The columns of a batch in the form in which torch walks entries: one entry a column.

Columns (`dcell_model.dcell.columns`) are found by the native library; where it is not built, each
touched (term, sample) is a column of its own (`engines.touched`).
"""

import numpy as np
import torch

from data_specs.cell_graph import IntArray
from dcell_model.dcell.columns import Columns
from dcell_model.dcell.engines.touched import Touched, runs_of
from dcell_model.dcell.layout import SubsystemLayout
from dcell_model.dcell.ranks import Ranks


def touched_columns(layout: SubsystemLayout, columns: Columns) -> Touched:
    """Columns as entries, on the CPU; `sample` is empty, since many samples share one.

    A parent's column takes that of the child that its link names, which others may take, too.
    """
    ranks = Ranks.of(layout)
    starts, links = columns.starts.numpy(), columns.link_starts.numpy()
    class_first = np.array([own.start for own in ranks.classes])[ranks.class_of_rank]
    class_last = np.array([own.stop for own in ranks.classes])[ranks.class_of_rank]
    # The edges of columns are sorted by child and parent, those of ranks by set.
    number = np.argsort(np.lexsort((ranks.edge_parent, ranks.edge_child)))
    edges, padded, runs = runs_of(ranks, np.diff(links)[number])
    edge = np.repeat(np.arange(len(edges)), padded)
    within = np.arange(len(edge)) - np.repeat(np.cumsum(padded) - padded, padded)
    first, used = links[number[edges]], np.diff(links)[number[edges]]
    real = within < used[edge]
    link = np.where(real, first[edge] + within, 0)

    def rows(rank_of_edge: IntArray, linked: torch.Tensor) -> torch.Tensor:
        """Places in the table of a rank's width; beyond the last for padding."""
        rank = rank_of_edge[edges]
        before = starts[class_first[rank]]
        row = (starts[rank] - before)[edge] + linked.numpy()[link] if len(linked) else link
        beyond = (starts[class_last[rank]] - before)[edge]
        return torch.from_numpy(np.where(real, row, beyond))

    rank = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    changed = np.repeat(np.arange(len(starts) - 1), columns.change_starts.diff().numpy())
    group = ranks.group_of_rank[changed]
    group_first = np.array([own.start for own in ranks.groups])
    group_last = np.array([own.stop for own in ranks.groups])
    weights = np.array([own.gene_weights.start for own in layout.groups])
    widths = np.array([own.width for own in layout.groups])
    entry = starts[changed] - starts[group_first[group]] + columns.change_column.numpy()
    changes = columns.change_starts.numpy()
    return Touched(
        term=torch.from_numpy(ranks.terms[rank]),
        rank=torch.from_numpy(rank),
        sample=torch.empty(0, dtype=torch.int64),
        starts=columns.starts,
        child=rows(ranks.edge_child, columns.link_child),
        parent=rows(ranks.edge_parent, columns.link_parent),
        runs=torch.from_numpy(runs),
        edge_input=torch.from_numpy(ranks.edge_input[edges]),
        change_entry=torch.from_numpy(entry),
        change_input=torch.from_numpy(
            (columns.change_weight.numpy() - weights[group]) // widths[group]
        ),
        change_size=columns.change_size,
        change_bounds=torch.from_numpy(np.stack([changes[group_first], changes[group_last]])),
    )
