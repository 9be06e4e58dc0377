"""DCell as a module: engines, options, errors."""

import pytest
import torch

from data_specs.errors import InputError, ParameterError
from data_specs.parameters.sections import Model
from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.model import ENGINES, DCell
from tests.hierarchies import random_cell_graph

GRAPH = random_cell_graph(0)
BATCH = encode_genotypes(GRAPH, [[0], [1], []])


def test_heads_of_all_terms() -> None:
    model = DCell(GRAPH, Model(), phenotypes=2)
    assert model(BATCH).shape == (GRAPH.num_terms, 3, 2)


@pytest.mark.parametrize(("terms", "order"), [(99, "act_norm"), (100, "norm_act")])
def test_the_order_of_the_norm_where_none_is_given(terms: int, order: str) -> None:
    graph = random_cell_graph(0, terms=terms)
    assert DCell(graph).config.norm_order == order
    other = "norm_act" if order == "act_norm" else "act_norm"
    assert DCell(graph, Model(norm_order=other)).config.norm_order == other


def test_engine_is_switched_on_a_live_model() -> None:
    model = DCell(GRAPH).double().eval()
    first = model(BATCH)
    model.engine = "reference"
    torch.testing.assert_close(model(BATCH), first)
    with pytest.raises(ParameterError, match="there are reference, incremental"):
        model.engine = "fastest"


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_training_on_one_sample(engine: str) -> None:
    one = encode_genotypes(GRAPH, [[0]])
    model = DCell(GRAPH, engine=engine)
    with pytest.raises(InputError, match="no variance"):
        model(one)
    assert model.eval()(one).shape[1] == 1
    assert DCell(GRAPH, Model(norm="layer"), engine=engine)(one).shape[1] == 1


def test_initial_ranges() -> None:
    torch.manual_seed(0)
    uniform = DCell(GRAPH, Model(init="uniform", init_range=0.001))
    for name in ("child_weight", "gene_weight", "bias", "head_weight", "head_bias"):
        values = uniform.get_parameter(name).detach()
        assert 0 < float(values.abs().max()) <= 0.001
    fan_in = DCell(GRAPH, Model())
    term = fan_in.layout.order[-1]
    inputs = fan_in.layout.fan_in[term] + GRAPH.genes_direct[term]
    rows = slice(int(fan_in.layout.first_row[term]), None)
    assert float(fan_in.bias[rows].detach().abs().max()) <= inputs**-0.5


def test_wild_type_and_unannotated_gene_look_the_same() -> None:
    model = DCell(GRAPH).eval()
    heads = model(encode_genotypes(GRAPH, [[], [14], [40]]))
    assert torch.equal(heads[:, 0], heads[:, 1])
    assert torch.equal(heads[:, 0], heads[:, 2])


def test_state_dict_holds_no_indices() -> None:
    names = set(DCell(GRAPH).state_dict())
    assert names == {
        "child_weight", "gene_weight", "bias", "norm_weight", "norm_bias", "running_mean",
        "running_var", "head_weight", "head_bias",
    }  # fmt: skip
