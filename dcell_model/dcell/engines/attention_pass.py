"""Only what the deletions touch, where terms have attention: in torch, group by group.

Entries are the batch's columns (`dcell_model.dcell.columns`), each of which many samples may share.
A term that a sample does not touch has the wild type's tokens, so its output is the wild type's:
what makes `incremental` exact (see `engines.native_pass`) does not ask that a term be linear in its
inputs. In a touched term all tokens attend to those that differ, so its attention is computed anew
for each entry, and once for the wild type.

A pass keeps outputs alone. Backwards, each group's outputs are computed again and differentiated by
autograd (`engines.attention_group`), so that queries, keys and values are there for one group at a
time.

Shapes: T terms, R rows, N entries, P phenotypes.
"""

from typing import Any

import torch
from torch import Tensor

from dcell_model.data import MutantStateBatch
from dcell_model.dcell.columns import Columns
from dcell_model.dcell.engines.attention_group import GroupPass, GroupTensors
from dcell_model.dcell.engines.edges import Edges
from dcell_model.dcell.engines.indices import Indices
from dcell_model.dcell.engines.native_pass import find_columns
from dcell_model.dcell.engines.processes import samples_everywhere
from dcell_model.dcell.engines.token_tables import Placed, TokenTables
from dcell_model.dcell.engines.touched import Touched, touch
from dcell_model.dcell.engines.touched_columns import touched_columns
from dcell_model.dcell.engines.walk import Entries, Walk
from dcell_model.dcell.engines.weights import product_dtype, update_running_statistics
from dcell_model.dcell.heads import ColumnHeads
from dcell_model.dcell.native import load
from dcell_model.dcell.parameters import DCellParameters

# The parameters that a pass is differentiated with respect to.
NAMES = (
    "child_weight", "gene_weight", "bias", "second_weight", "second_bias", "norm_weight",
    "norm_bias", "head_weight", "head_bias", "attention_in", "attention_bias", "attention_out",
    "embedding",
)  # fmt: skip


def suits(model: DCellParameters) -> bool:
    """Whether a model has attention, which no other pass of `incremental` runs."""
    return model.config.attention_heads > 0


def forward(model: DCellParameters, batch: MutantStateBatch) -> ColumnHeads:
    """Predictions of all heads, as the wild type's and the differences from it."""
    return forward_with_states(model, batch)[0]


def forward_with_states(
    model: DCellParameters, batch: MutantStateBatch
) -> tuple[ColumnHeads, Tensor]:
    """The same, and `[N]` the root mean square of each entry's differences."""
    walk = AttentionWalk(model, batch)
    state = dict(model.named_parameters())
    empty = model.bias.new_empty(0)
    weights = [state.get(name, empty) for name in NAMES]
    wild, difference, mean, var, outputs, changes = _Pass.apply(walk, *weights)
    model.wild_type_cache.put(model, outputs)
    if walk.measures:
        update_running_statistics(model, mean, var, walk.everywhere)
    at = walk.walk.at
    heads = ColumnHeads(
        wild_type=wild,
        difference=difference,
        term=at.term,
        count=walk.count,
        sample=walk.sample,
        column=walk.column,
        samples=len(batch),
    )
    return heads, changes


def _entries(
    model: DCellParameters, batch: MutantStateBatch
) -> tuple[Touched, Tensor, Tensor, Tensor]:
    """What a batch touches: columns on a CPU where they can be found, else a sample at a time.

    Returns:
        The entries, how many samples share each, and sample and entry of all that is touched.
    """
    layout = model.layout
    if model.bias.device.type == "cpu" and load() is not None:
        if batch.plan is None:
            find_columns(layout, batch)
        assert batch.plan is not None
        columns = Columns(*batch.plan)
        return (
            touched_columns(layout, columns),
            columns.count,
            columns.entry_sample,
            columns.entry_column,
        )
    touched = Touched(
        *touch(batch.term, batch.gene, batch.sample, batch.deleted_sample, batch.deleted_gene,
               len(batch), layout.handle, batch.state)
    )  # fmt: skip
    every = torch.arange(len(touched.term), device=touched.term.device)
    return touched, torch.ones_like(touched.term), touched.sample, every


class AttentionWalk:
    """All that both passes look up about a batch, and the groups with their tokens.

    Attributes:
        walk: the entries of the batch.
        count: `[N]` samples that share each entry.
        sample, column: of every touched (term, sample), the sample and the entry.
        known: `[R]` the wild type's outputs, or an empty tensor.
        samples, everywhere: of the batch, and of the batches of all processes.
        measures: whether batch norm takes the batch's mean and variance.
    """

    def __init__(self, model: DCellParameters, batch: MutantStateBatch) -> None:
        layout, device = model.layout, model.bias.device
        self.model, self.layout, self.config = model, layout, model.config
        touched, *shared = _entries(model, batch)
        self.count, self.sample, self.column = shared
        self.weight = self.count.to(model.bias.dtype)
        self.walk = walk = Walk(layout.handle, touched.to_list(), device)
        self.known = model.wild_type_cache.get(model)
        self.samples, self.everywhere = len(batch), samples_everywhere(model, len(batch))
        self.measures = model.training and self.config.norm == "batch"
        self.dtype = product_dtype(device) or model.bias.dtype
        self.edges, self.tables = Edges(walk, self.dtype), TokenTables.of(layout, device)
        indices = Indices.of(layout, device)
        none = torch.empty(0, dtype=torch.int64, device=device)
        self.child_rows = [torch.cat([none, *own]) for own in indices.child_rows]
        self.term_of_row = indices.term_of_row
        self.passes: dict[int, GroupPass] = {}

    def group_pass(self, at: Entries) -> GroupPass:
        """A group in this batch."""
        if at.number not in self.passes:
            rows, shape = at.group.rows, (-1, at.group.width)
            mean = var = None
            if self.config.norm == "batch" and not self.measures:
                mean = self.model.running_mean[rows].view(shape).clone()
                var = self.model.running_var[rows].view(shape).clone()
            ranks = self.walk.ranks.groups[at.number]
            begin = self.walk.begin[ranks.start : ranks.stop + 1]
            tables = self.tables[at.number]
            counts = torch.tensor(begin).diff().numpy()
            area = self.config.attention_width * at.group.width
            self.passes[at.number] = GroupPass(
                at=at,
                runs=self.edges.of_group(at.number),
                tables=tables,
                placed=Placed.of(tables, counts, area, self.config.layers == 2),
                config=self.config,
                count=self.weight[at.all_rows],
                samples=self.samples,
                everywhere=self.everywhere,
                mean=mean,
                var=var,
                dtype=self.dtype,
            )
        return self.passes[at.number]

    def tensors(
        self, at: Entries, weights: dict[str, Tensor], outputs: Tensor, tables: list[Tensor]
    ) -> GroupTensors:
        """A group's part of the weights, and what its children gave."""
        group, own = at.group, self.tables[at.number]
        n, w, E = len(group.terms), group.width, max(1, self.config.gene_embedding)
        pairs = int(group.genes[-1])
        first, last = group.gene_weights.start * E, group.gene_weights.stop * E
        terms = self.terms(at)
        bias = weights["bias"]

        def rows(name: str) -> Tensor:
            value = weights[name]
            return value[group.rows].view(n, w) if value.numel() else value

        second, embedding = weights["second_weight"], bias.new_ones(pairs, 1)
        if weights["embedding"].numel():
            embedding = weights["embedding"].index_select(0, self.genes(at))
        parts = [
            tables[run.child_class].index_select(0, run.child).flatten()
            for run in self.edges.of_group(at.number)
        ]
        return GroupTensors(
            child=weights["child_weight"][group.child_weights].view(-1, w),
            gene=weights["gene_weight"][first:last].view(pairs, w, E),
            embedding=embedding,
            bias=rows("bias"),
            second=second[group.second_weights].view(-1, w, w) if second.numel() else second,
            second_bias=rows("second_bias"),
            norm=rows("norm_weight"),
            norm_bias=rows("norm_bias"),
            head=weights["head_weight"][group.rows].view(n, w, -1),
            head_bias=weights["head_bias"].index_select(0, terms),
            into=weights["attention_in"][own.rows],
            token_bias=weights["attention_bias"][own.tokens],
            out=weights["attention_out"][own.rows],
            children=outputs.index_select(0, self.child_rows[at.number]),
            entries=torch.cat([bias.new_empty(0), *parts]),
        )

    def terms(self, at: Entries) -> Tensor:
        """`[n]` the terms of a group."""
        return self.term_of_row[at.group.rows].view(-1, at.group.width)[:, 0]

    def genes(self, at: Entries) -> Tensor:
        """`[pairs]` the gene of each of a group's (term, gene) pairs."""
        weights = at.group.gene_weights
        return self.model.gene_of_weight[weights].view(-1, at.group.width)[:, 0]

    def add_gradients(
        self, at: Entries, own: list[Tensor], out: dict[str, Tensor], outputs: Tensor,
        tables: list[Tensor],
    ) -> None:  # fmt: skip
        """Put the gradients of `tensors` in place, and add those of what the children gave."""
        g, group, mine = GroupTensors(*own), at.group, self.tables[at.number]
        E = max(1, self.config.gene_embedding)
        out["child_weight"][group.child_weights] = g.child.flatten()
        first, last = group.gene_weights.start * E, group.gene_weights.stop * E
        out["gene_weight"][first:last] = g.gene.flatten()
        rows = {"bias": g.bias, "second_bias": g.second_bias, "norm_weight": g.norm,
                "norm_bias": g.norm_bias}  # fmt: skip
        for name, value in rows.items():
            if value.numel():
                out[name][group.rows] = value.flatten()
        if g.second.numel():
            out["second_weight"][group.second_weights] = g.second.flatten()
        out["head_weight"][group.rows] = g.head.flatten(0, 1)
        out["head_bias"].index_copy_(0, self.terms(at), g.head_bias)
        out["attention_in"][mine.rows] = g.into
        out["attention_bias"][mine.tokens] = g.token_bias
        out["attention_out"][mine.rows] = g.out
        if out["embedding"].numel():
            out["embedding"].index_add_(0, self.genes(at), g.embedding)
        outputs.index_add_(0, self.child_rows[at.number], g.children)
        runs = self.edges.of_group(at.number)
        parts = g.entries.split([run.edges * run.places * run.width for run in runs])
        for run, part in zip(runs, parts, strict=True):
            tables[run.child_class].index_add_(0, run.child, part.view(-1, run.width))


class _Pass(torch.autograd.Function):
    """Forward from the deepest stratum to the root, and back."""

    @staticmethod
    def forward(ctx: Any, own: AttentionWalk, *weights: Tensor) -> tuple[Tensor, ...]:
        """Heads, batch norm's mean and variance `[R]`, the wild type's outputs, changes `[N]`."""
        given, walk = dict(zip(NAMES, weights, strict=True)), own.walk
        bias = given["bias"]
        outputs = own.known.clone() if own.known.numel() else torch.empty_like(bias)
        flat = walk.tables(bias)
        tables = walk.split(flat)
        difference = bias.new_empty(len(walk.at.rank), given["head_weight"].shape[1])
        changes = bias.new_empty(len(walk.at.rank))
        mean, var = (bias.new_empty(len(bias) if own.measures else 0) for _ in range(2))
        with torch.autocast(bias.device.type, enabled=False):
            for at in (entries for stratum in reversed(walk.strata) for entries in stratum):
                if own.known.numel() and not at.count:
                    continue
                tensors = own.tensors(at, given, outputs, tables)
                o_wt, D, _, heads, batch_mean, batch_var = own.group_pass(at).outputs(tensors)
                outputs[at.group.rows] = o_wt.reshape(-1)
                tables[at.class_number][at.rows] = D
                difference[at.all_rows] = heads
                changes[at.all_rows] = D.square().mean(1).sqrt()
                if own.measures:
                    mean[at.group.rows] = batch_mean.reshape(-1)
                    var[at.group.rows] = batch_var.reshape(-1)
        parts = given["head_weight"] * outputs[:, None]
        wild = given["head_bias"].clone().index_add_(0, own.term_of_row, parts)
        ctx.own = own
        ctx.save_for_backward(flat, outputs, *weights)
        ctx.mark_non_differentiable(mean, var, outputs, changes)
        return wild, difference, mean, var, outputs, changes

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        """Gradients of all weights."""
        own: AttentionWalk = ctx.own
        grad_wild, grad_difference = gradients[:2]
        flat, outputs, *weights = ctx.saved_tensors
        given = dict(zip(NAMES, weights, strict=True))
        out = {name: torch.zeros_like(weight) for name, weight in given.items()}
        walk, tables = own.walk, own.walk.split(flat)
        grad_outputs = torch.zeros_like(outputs)
        grad_tables = walk.split(torch.zeros_like(flat))
        with torch.autocast(outputs.device.type, enabled=False):
            for at in (entries for stratum in walk.strata for entries in stratum):
                tensors = own.tensors(at, given, outputs, tables).to_list()
                leaves = [tensor.detach().requires_grad_() for tensor in tensors]
                with torch.enable_grad():
                    found = own.group_pass(at).outputs(GroupTensors(*leaves))[:4]
                given_gradients = (
                    grad_outputs[at.group.rows].view_as(found[0]),
                    grad_tables[at.class_number][at.rows],
                    grad_wild.index_select(0, own.terms(at)),
                    grad_difference[at.all_rows],
                )
                grads = torch.autograd.grad(
                    found, leaves, given_gradients, allow_unused=True, materialize_grads=True
                )
                own.add_gradients(at, list(grads), out, grad_outputs, grad_tables)
        return None, *(out[name] if len(out[name]) else None for name in NAMES)
