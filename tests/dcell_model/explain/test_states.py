"""States, gradients and ablations against the reference engine, in float64."""

import numpy as np
import pytest
import torch

from data_specs.cell_graph import CellGraph
from data_specs.parameters.sections import resolve
from dcell_model.data.dataset import MutantStateBatch, encode_genotypes
from dcell_model.dcell.engines import reference
from dcell_model.dcell.model import DCell
from dcell_model.explain.states import TouchedStates
from tests.hierarchies import random_cell_graph

VARIANTS = [
    {"norm_order": "act_norm"}, {}, {"norm": "layer", "activation": "gelu"}, {"norm": "none"},
    {"layers": 2, "norm_order": "act_norm"},
    {"gene_input": "disruption", "gene_embedding": 3, "activation": "relu"},
    {"gene_embedding": 2},
    {"attention_heads": 2, "attention_width": 6, "norm_order": "act_norm"},
    {"attention_heads": 1, "gene_embedding": 2, "norm": "layer", "gene_input": "disruption"},
]  # fmt: skip
# The wild type, a genotype twice, and a gene without annotation (14) are among them.
GENOTYPES = [[], [0, 3], [0, 3], [14], [1, 5, 14], [2], [4, 7, 9], [6, 8], [10, 11, 12], [13]]


def small(seed: int, **config: object) -> tuple[CellGraph, DCell, MutantStateBatch]:
    graph = random_cell_graph(seed)
    torch.manual_seed(seed)
    model = DCell(graph, resolve({"model": {"width_min": 3, **config}}).model, phenotypes=2,
                  engine="reference").double()  # fmt: skip
    batch = encode_genotypes(graph, GENOTYPES)
    for _ in range(3):
        model(batch)  # moves the running statistics
    return graph, model.eval(), batch


def plain(
    model: DCell, batch: MutantStateBatch, monkeypatch: pytest.MonkeyPatch, held: int | None = None
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The reference engine's outputs and heads; the output of the term `held` is the wild type's.

    Sample 0 is the wild type.
    """
    if held is None:
        return reference.outputs_and_heads(model, batch)
    calls = iter(reversed(range(model.graph.num_terms)))
    name = "normalise" if model.config.norm_order == "act_norm" else "activate"
    owner = reference if name == "normalise" else model
    original = getattr(owner, name)
    if name == "activate" and model.config.layers == 2:
        raise NotImplementedError

    def holding(*arguments: object) -> torch.Tensor:
        out: torch.Tensor = original(*arguments)
        return out[:1].expand_as(out) if next(calls) == held else out

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, holding)
        return reference.outputs_and_heads(model, batch)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_states_gradients_and_ablations(
    seed: int, variant: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, model, batch = small(seed, **variant)
    if seed:  # genes in other states than 0, too
        random = np.random.default_rng(seed)
        graded = [random.choice([0, 0.25, 0.7, 3], len(genes)).tolist() for genes in GENOTYPES]
        batch = encode_genotypes(graph, GENOTYPES, states=graded)
    states = TouchedStates.of(model, batch)
    outputs, heads = plain(model, batch, monkeypatch)
    for output in outputs:
        output.retain_grad()
    heads[0][:, 1].sum().backward()  # samples do not mix: each has its own gradient
    torch.testing.assert_close(states.root(1), heads[0][:, 1].detach(), rtol=1e-9, atol=1e-12)
    gradients = dict(states.gradients(1))
    for term in range(graph.num_terms):
        rows = torch.from_numpy(states.rows[term])
        output = outputs[term].detach()
        dense = states.wild_type[term].expand_as(output).clone()
        dense[rows] += states.difference[term]
        torch.testing.assert_close(dense, output, rtol=1e-9, atol=1e-12)
        expected = heads[term][rows, 1].detach()
        torch.testing.assert_close(states.heads(term, 1), expected, rtol=1e-9, atol=1e-12)
        if not len(rows):
            continue
        gradient = outputs[term].grad
        assert gradient is not None
        torch.testing.assert_close(gradients[term], gradient[rows], rtol=1e-9, atol=1e-12)
        _, held = plain(model, batch, monkeypatch, term)
        change = (held[0] - heads[0])[:, 1].detach()
        torch.testing.assert_close(states.without(term, 1), change[rows], rtol=1e-9, atol=1e-12)
        change[rows] = 0
        assert float(change.abs().max()) < 1e-12


def test_no_sample_at_all() -> None:
    graph, model, _ = small(0)
    states = TouchedStates.of(model, encode_genotypes(graph, []))
    assert states.root(0).shape == (0,)
    assert [len(rows) for rows in states.rows] == [0] * graph.num_terms
    assert list(states.gradients(0)) == []


def test_wild_types_touch_nothing() -> None:
    graph, model, _ = small(0)
    states = TouchedStates.of(model, encode_genotypes(graph, [[], [14]]))
    assert all(len(rows) == 0 for rows in states.rows)
    assert np.ptp(states.root(0).numpy()) == 0
