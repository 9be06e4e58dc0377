"""Parameters term by term: out and back in."""

import pytest
import torch

from data_specs.errors import ArtefactError
from data_specs.parameters.sections import Model
from dcell_model.dcell.model import DCell
from dcell_model.dcell.per_term import export_subsystems, import_subsystems
from tests.hierarchies import random_cell_graph

GRAPH = random_cell_graph(6)


@pytest.mark.parametrize(
    "config",
    [
        Model(width_min=2),
        Model(gene_embedding=3),
        Model(layers=2, norm="layer"),
        Model(attention_heads=2),
        Model(attention_heads=1, gene_embedding=3),
    ],
)
def test_round_trip(config: Model) -> None:
    torch.manual_seed(0)
    model, other = DCell(GRAPH, config, phenotypes=2), DCell(GRAPH, config, phenotypes=2)
    import_subsystems(other, export_subsystems(model))
    for name, value in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


def test_shapes_are_those_of_a_per_term_module() -> None:
    model = DCell(GRAPH, Model(width_min=4), phenotypes=3)
    exported = export_subsystems(model)
    for term, name in enumerate(GRAPH.term_ids):
        children = sum(int(model.layout.widths[c]) for c in model.layout.children[term])
        inputs = children + int(GRAPH.genes_direct[term])
        out = int(model.layout.widths[term])
        linear = torch.nn.Linear(inputs, out)
        assert exported[f"subsystems.{name}.linear.weight"].shape == linear.weight.shape
        assert exported[f"subsystems.{name}.head.weight"].shape == (3, out)


def test_what_does_not_fit_is_named() -> None:
    model = DCell(GRAPH, Model())
    exported = export_subsystems(model)
    name = f"subsystems.{GRAPH.term_ids[1]}.linear.bias"
    with pytest.raises(ArtefactError, match=r"linear\.bias' has shape"):
        import_subsystems(model, exported | {name: torch.zeros(1)})
    with pytest.raises(ArtefactError, match="'extra' belongs to no subsystem"):
        import_subsystems(model, exported | {"extra": torch.zeros(1)})
    del exported[name]
    with pytest.raises(ArtefactError, match="is missing"):
        import_subsystems(model, exported)
