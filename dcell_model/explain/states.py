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
from dcell_model.dcell import DCell, Subsystem, split_by_term
from dcell_model.dcell.engines import Ranks, normalise
from dcell_model.predict import IntArray


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
            z = self.inputs[term].detach().requires_grad_()
            with torch.enable_grad():
                (g_z,) = torch.autograd.grad(self.output(term, z), z, g)
            for child, child_weight in self.child_weights(term):
                if len(self.rows[child]):
                    part = g_z[self.places(child, term)] @ child_weight.detach()
                    G[child] = G[child] + part if child in G else part

    @torch.no_grad()
    def without(self, term: int, phenotype: int) -> Tensor:
        """`[n]` change of the root's prediction when a term's output is held at the wild type's.

        The outputs of all ancestors are computed again; those of their other children stay.
        """
        samples = self.rows[term]
        changed = {term: -self.difference[term]}
        for ancestor in _ancestors(self.model, term):
            entries = torch.from_numpy(np.searchsorted(self.rows[ancestor], samples))
            z = self.inputs[ancestor][entries]
            for child, weight in self.child_weights(ancestor):
                if child in changed:
                    z = z + changed[child] @ weight.t()
            before = self.difference[ancestor][entries] + self.wild_type[ancestor]
            changed[ancestor] = self.output(ancestor, z) - before
        return changed[0] @ self.subsystems[0].head_weight[phenotype]


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
