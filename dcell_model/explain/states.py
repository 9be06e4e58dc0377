"""The states of all terms in all held-out samples, and their effect on the root.

A term is kept only where a sample touches it: elsewhere its state is the wild type's. In evaluation
a term's output depends on one sample alone, so that all samples of a term are processed at
once, with no regard to the others (the equations are those of `engines.reference`).

Shapes: T terms; of a term n samples that touch it, w neurons; K child neurons.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from data_specs.ragged import ragged_entries
from dcell_model.data import MutantStateBatch, sizes_of
from dcell_model.dcell import DCell, Subsystem, attend, split_by_term
from dcell_model.dcell.engines import Ranks, normalise
from dcell_model.predict import IntArray

PIECE = 1024  # samples whose attention is in memory at a time


@dataclass(slots=True)
class TouchedStates:
    """States of B samples, term by term.

    Attributes:
        model: in evaluation mode.
        subsystems: its parameters by term.
        rows: by term, `[n]` int64, sorted: the samples that touch it.
        changes: by term, `[n, m]`: how much less than 1 the states of its m direct genes are, so
            1 where one is deleted.
        wild_type: by term, `[w]` output of the wild type.
        inputs: by term, `[n, w]` outputs of the first layer, before the activation.
        difference: by term, `[n, w]` output less the wild type's.
        samples: B.
    """

    model: DCell
    subsystems: list[Subsystem]
    rows: list[IntArray]
    changes: list[Tensor]
    wild_type: list[Tensor]
    inputs: list[Tensor]
    difference: list[Tensor]
    samples: int

    @classmethod
    @torch.no_grad()
    def of(cls, model: DCell, batch: MutantStateBatch) -> "TouchedStates":
        """Run a model on samples; the types of its tensors are those of the model."""
        assert not model.training
        subsystems, rows = split_by_term(model), _touching(model, batch)
        terms = len(rows)
        none = [model.bias.new_empty(0)] * terms
        changes = _changes(model, batch, rows)
        states = cls(model, subsystems, rows, changes, [*none], [*none], [*none], len(batch))
        embedded = max(1, model.config.gene_embedding)
        state = float(model.config.gene_input == "state")
        sign = 1 - 2 * state
        for term in reversed(range(terms)):  # children have larger indices than parents
            if model.layout.tokens[term].count:
                states.set_attended(term)
                continue
            subsystem = subsystems[term]
            genes = model.graph.annotations[model.layout.gene_rows(term), 1]
            columns = subsystem.weight[:, int(model.layout.fan_in[term]) :]  # [w, m · E]
            if model.config.gene_embedding:
                parts = columns.unflatten(1, (len(genes), embedded)) * model.embedding[genes]
                columns = parts.sum(2)
            z_wt = subsystem.bias + state * columns.sum(1)
            d = sign * (changes[term] @ columns.t())  # [n, w]
            for child, weight in states.child_weights(term):
                z_wt = z_wt + weight @ states.wild_type[child]
                d[states.places(child, term)] += states.difference[child] @ weight.t()
            states.wild_type[term] = states.output(term, z_wt[None])[0]
            states.inputs[term] = d + z_wt
            if len(d):
                states.difference[term] = states.output(term, d + z_wt) - states.wild_type[term]
            else:
                states.difference[term] = d
        return states

    def set_attended(self, term: int) -> None:
        """Put the states of a term with attention in place, from those of its children."""
        wild_type_first = np.append(-1, self.rows[term])
        z = self.first_layer(term, self.inputs_of(term, wild_type_first))
        o = self.output(term, z)
        self.wild_type[term], self.inputs[term] = o[0], z[1:]
        self.difference[term] = o[1:] - o[0]

    def inputs_of(self, term: int, samples: IntArray) -> Tensor:
        """`[n, K + m·max(1, E)]` what a term takes in; the wild type's where a sample is -1."""
        model = self.model
        parts = []
        for child in model.layout.children[term]:
            found, at = _find(self.rows[child], samples)
            part = self.wild_type[child].repeat(len(samples), 1)
            part[found] += self.difference[child][at]
            parts.append(part)
        genes = model.graph.annotations[model.layout.gene_rows(term), 1]
        found, at = _find(self.rows[term], samples)
        x = model.bias.new_zeros(len(samples), len(genes))
        x[found] = self.changes[term][at].to(x.dtype)
        x = 1 - x if model.config.gene_input == "state" else x
        if model.config.gene_embedding:
            x = (x[:, :, None] * model.embedding[genes]).flatten(1)
        return torch.cat([*parts, x], dim=1)

    def first_layer(self, term: int, inputs: Tensor) -> Tensor:
        """`[n, w]` outputs of the first layer, attention included."""
        own, tokens = self.subsystems[term], self.model.layout.tokens[term]
        heads = self.model.config.attention_heads
        attended = [attend(own, tokens, part, heads) for part in inputs.split(PIECE)]
        return torch.cat([F.linear(part, own.weight, own.bias) for part in attended])

    def child_weights(self, term: int) -> Iterator[tuple[int, Tensor]]:
        """The children of a term, each with the weights `[w, K]` of its neurons."""
        first = 0
        for child in self.model.layout.children[term]:
            width = int(self.model.layout.widths[child])
            yield child, self.subsystems[term].weight[:, first : first + width]
            first += width

    def places(self, child: int, term: int) -> Tensor:
        """`[n]` where the samples of a term stand among those of an ancestor."""
        return torch.from_numpy(np.searchsorted(self.rows[term], self.rows[child]))

    def output(self, term: int, z: Tensor) -> Tensor:
        """`[n, w]` a term's output for the first layer's `[n, w]`."""
        subsystem, model = self.subsystems[term], self.model
        if subsystem.second_weight is not None:
            z = F.linear(model.activate(z), subsystem.second_weight, subsystem.second_bias)
        if model.config.norm_order == "act_norm":
            return normalise(model, subsystem, model.activate(z), len(z))
        return model.activate(normalise(model, subsystem, z, len(z)))

    def heads(self, term: int, phenotype: int) -> Tensor:
        """`[n]` the prediction of a term's own head, in units of training."""
        subsystem = self.subsystems[term]
        weight = subsystem.head_weight[phenotype].detach()
        wild = subsystem.head_bias[phenotype].detach() + weight @ self.wild_type[term]
        return self.difference[term] @ weight + wild

    def root(self, phenotype: int) -> Tensor:
        """`[B]` the prediction of the model, in units of training."""
        subsystem = self.subsystems[0]
        weight = subsystem.head_weight[phenotype].detach()
        wild = subsystem.head_bias[phenotype].detach() + weight @ self.wild_type[0]
        predicted = wild.expand(self.samples).clone()
        predicted[torch.from_numpy(self.rows[0])] += self.difference[0] @ weight
        return predicted

    def gradients(self, phenotype: int) -> Iterator[tuple[int, Tensor]]:
        """Terms from the root down, each with `[n, w]`: how its output moves the root's prediction.

        The gradient is taken at the sample's own state, along all paths to the root.
        """
        weight = self.subsystems[0].head_weight[phenotype].detach()
        G = {0: weight.expand_as(self.difference[0])}
        for term in range(len(self.rows)):
            if not len(self.rows[term]):
                continue
            g = G.pop(term)
            yield term, g
            for child, part in self._gradients_of_children(term, g):
                G[child] = G[child] + part if child in G else part

    def _gradients_of_children(self, term: int, g: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Touched children of a term, each with the gradient of its output from the term's."""
        if self.model.layout.tokens[term].count:
            pieces = zip(np.split(self.rows[term], range(PIECE, len(g), PIECE)), g.split(PIECE),
                         strict=True)  # fmt: skip
            g_inputs = torch.cat([self._gradient_of_inputs(term, *piece) for piece in pieces])
            first = 0
            for child in self.model.layout.children[term]:
                width = int(self.model.layout.widths[child])
                if len(self.rows[child]):
                    yield child, g_inputs[self.places(child, term), first : first + width]
                first += width
            return
        z = self.inputs[term].detach().requires_grad_()
        with torch.enable_grad():
            (g_z,) = torch.autograd.grad(self.output(term, z), z, g)
        for child, child_weight in self.child_weights(term):
            if len(self.rows[child]):
                yield child, g_z[self.places(child, term)] @ child_weight.detach()

    def _gradient_of_inputs(self, term: int, samples: IntArray, g: Tensor) -> Tensor:
        inputs = self.inputs_of(term, samples).detach().requires_grad_()
        with torch.enable_grad():
            output = self.output(term, self.first_layer(term, inputs))
            (gradient,) = torch.autograd.grad(output, inputs, g)
        return gradient

    @torch.no_grad()
    def without(self, term: int, phenotype: int) -> Tensor:
        """`[n]` change of the root's prediction when a term's output is held at the wild type's.

        The outputs of all ancestors are computed again; those of their other children stay.
        """
        samples = self.rows[term]
        changed = {term: -self.difference[term]}
        for ancestor in _ancestors(self.model, term):
            entries = torch.from_numpy(np.searchsorted(self.rows[ancestor], samples))
            if self.model.layout.tokens[ancestor].count:
                z = self.first_layer(ancestor, self._changed_inputs(ancestor, samples, changed))
            else:
                z = self.inputs[ancestor][entries]
                for child, weight in self.child_weights(ancestor):
                    if child in changed:
                        z = z + changed[child] @ weight.t()
            before = self.difference[ancestor][entries] + self.wild_type[ancestor]
            changed[ancestor] = self.output(ancestor, z) - before
        return changed[0] @ self.subsystems[0].head_weight[phenotype]

    def _changed_inputs(self, term: int, samples: IntArray, changed: dict[int, Tensor]) -> Tensor:
        """What a term takes in, with changes `[n, v]` of children's outputs added."""
        inputs, first = self.inputs_of(term, samples), 0
        for child in self.model.layout.children[term]:
            width = int(self.model.layout.widths[child])
            if child in changed:
                inputs[:, first : first + width] += changed[child]
            first += width
        return inputs


def _find(rows: IntArray, samples: IntArray) -> tuple[Tensor, Tensor]:
    """Which of the samples are among sorted rows, `[n]` bool, and where those are."""
    at = np.searchsorted(rows, samples)
    found = np.append(rows, -2)[at] == samples
    return torch.from_numpy(found), torch.from_numpy(at[found])


def _ancestors(model: DCell, term: int) -> list[int]:
    """All ancestors, children before parents."""
    found: set[int] = set()
    front, parents = [term], _parents(model)
    while front:
        new = set(parents[front.pop()]) - found
        found |= new
        front += new
    return sorted(found, reverse=True)


def _parents(model: DCell) -> list[list[int]]:
    return model.layout.once(_parents, model.graph.parents)


def _touching(model: DCell, batch: MutantStateBatch) -> list[IntArray]:
    """By term, the samples with a deleted gene that it contains, sorted."""
    ranks, samples = Ranks.of(model.layout), len(batch)
    known = (batch.deleted_gene < model.graph.num_genes).numpy()
    gene, sample = batch.deleted_gene.numpy()[known], batch.deleted_sample.numpy()[known]
    starts = ranks.touched_starts
    deletion, touched = ragged_entries(starts[gene], starts[gene + 1])
    term = ranks.terms[ranks.touched_ranks[touched]]
    keys = np.unique(term * samples + sample[deletion])
    ends = np.searchsorted(keys, np.arange(1, model.graph.num_terms) * samples)
    return np.split(keys % max(samples, 1), ends)


def _changes(model: DCell, batch: MutantStateBatch, rows: list[IntArray]) -> list[Tensor]:
    """By term, `[n, m]` 1 less the state of every direct gene, of the model's type."""
    term, gene, sample = (c.numpy() for c in (batch.term, batch.gene, batch.sample))
    size = np.ones(len(term)) if batch.state is None else sizes_of(batch.state).numpy()
    order = np.argsort(term, kind="stable")
    pair, sample, size = model.graph.rows_of(term, gene)[order], sample[order], size[order]
    ends = np.searchsorted(term[order], np.arange(model.graph.num_terms + 1))
    found = []
    for term_index, samples_of_term in enumerate(rows):
        pairs = model.layout.gene_rows(term_index)
        table = np.zeros((len(samples_of_term), pairs.stop - pairs.start))
        mine = slice(ends[term_index], ends[term_index + 1])
        table[np.searchsorted(samples_of_term, sample[mine]), pair[mine] - pairs.start] = size[mine]
        found.append(torch.from_numpy(table).to(model.bias.dtype))
    return found
