"""All engines compute the same function: heads, gradients, running statistics, training."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data_specs.cell_graph import CellGraph
from data_specs.cell_lines import with_channels
from data_specs.parameters.sections import Model as ModelConfig
from dcell_model.data.dataset import MutantStateBatch, encode_genotypes
from dcell_model.dcell.layout import widths
from dcell_model.dcell.loss import dcell_loss
from dcell_model.dcell.model import DCell
from tests.engines import WAYS, running
from tests.hierarchies import cell_graph, random_cell_graph

# Deletions that touch nothing, one gene, the same genotype twice, the gene without annotation.
GENOTYPES = [[], [0], [1, 2], [1, 2], [14], [3, 4, 5], [0, 14], [6], [7, 8, 9]]


def batch_of(graph: CellGraph, genotypes: list[list[int]], phenotypes: int = 1) -> MutantStateBatch:
    values = np.random.default_rng(len(genotypes)).normal(size=(len(genotypes), phenotypes))
    return encode_genotypes(graph, genotypes, values.astype(np.float32))


def assert_equal(
    a: torch.Tensor, b: torch.Tensor, tolerance: float, what: str, scale: float = 0.0
) -> None:
    """Agreement relative to the largest entry of `b`, or to `scale` if that is larger."""
    scale = max([1e-12, scale, *b.detach().abs().flatten().tolist()])
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance * scale, msg=lambda m: what + m)


def assert_equivalent(
    graph: CellGraph,
    config: ModelConfig,
    batch: MutantStateBatch,
    way: str,
    *,
    training: bool = True,
    dtype: torch.dtype = torch.float64,
    tolerance: float = 1e-9,
    floor: float = 1e-3,
) -> None:
    torch.manual_seed(3)
    reference = DCell(graph, config, phenotypes=batch.phenotypes.shape[1], engine="reference")
    reference = reference.to(dtype).train(training)
    with torch.no_grad():
        for parameter in reference.parameters():  # no gradient may hide behind a zero or a one
            parameter.add_(torch.randn_like(parameter) * 0.3)
    other = DCell(graph, config, phenotypes=batch.phenotypes.shape[1]).to(dtype)
    other.train(training).load_state_dict(reference.state_dict())
    losses, heads = [], []
    with running(way) as other.engine:
        for model in (reference, other):
            heads.append(model(batch))
            loss = dcell_loss(heads[-1], batch.phenotypes.to(dtype), model, aux_weight=0.3, l2=1e-3)
            loss.backward()
            losses.append(loss.detach())
    assert_equal(heads[1], heads[0], tolerance, "heads: ")
    assert_equal(losses[1], losses[0], tolerance, "loss: ")
    expected = dict(reference.named_parameters())
    # A bias in front of batch norm has gradient zero: its rounding is measured by its neighbours.
    largest = max(
        float(p.grad.abs().max()) for p in expected.values() if p.grad is not None and p.numel()
    )
    for name, parameter in other.named_parameters():
        if expected[name].grad is None:
            assert parameter.grad is None or not parameter.grad.any(), name
        else:
            what = f"gradient of {name}: "
            assert_equal(parameter.grad, expected[name].grad, tolerance, what, floor * largest)
    for name, buffer in other.named_buffers():
        if "running" in name:
            assert_equal(buffer, reference.get_buffer(name), tolerance, f"{name}: ")


OPTIONS = list(
    itertools.product(["act_norm", "norm_act"], ["contained", "direct"], [True, False], WAYS)
)


@pytest.mark.parametrize(("norm_order", "width_genes", "training", "way"), OPTIONS)
@pytest.mark.parametrize("phenotypes", [1, 3])
def test_engines_agree(
    norm_order: str, width_genes: str, training: bool, way: str, phenotypes: int
) -> None:
    graph = random_cell_graph(1)
    config = ModelConfig(
        norm_order=norm_order, width_genes=width_genes, width_min=2, width_ratio=0.7
    )
    batch = batch_of(graph, GENOTYPES, phenotypes)
    assert_equivalent(graph, config, batch, way, training=training)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "variant",
    [
        {"activation": "gelu"},
        {"activation": "relu"},
        {"norm": "layer"},
        {"norm": "layer", "norm_order": "norm_act"},
        {"norm": "none"},
        {"gene_input": "disruption"},
        {"gene_embedding": 3},
        {"gene_embedding": 2, "gene_input": "disruption"},
        {"layers": 2},
        {"layers": 2, "norm": "layer", "norm_order": "norm_act"},
        {"init": "uniform"},
    ],
)
def test_engines_agree_on_every_variant(variant: dict[str, object], way: str) -> None:
    graph = random_cell_graph(2)
    config = ModelConfig(width_min=3, **variant)
    assert_equivalent(graph, config, batch_of(graph, GENOTYPES), way)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    terms=st.integers(2, 25),
    genotypes=st.lists(
        st.lists(st.integers(0, 14), max_size=4, unique=True), min_size=2, max_size=9
    ),
    way=st.sampled_from(WAYS),
    norm_order=st.sampled_from(["act_norm", "norm_act"]),
    training=st.booleans(),
)
def test_engines_agree_on_random_hierarchies(
    seed: int, terms: int, genotypes: list[list[int]], way: str, norm_order: str, training: bool
) -> None:
    graph = random_cell_graph(seed, terms)
    config = ModelConfig(width_min=2, norm_order=norm_order)
    # Every gene is deleted once: a neuron that no sample moves has no variance, and batch norm
    # would divide its rounding by √eps, stratum after stratum, in every engine.
    genotypes = [*genotypes, *([gene] for gene in range(15))]
    assert_equivalent(graph, config, batch_of(graph, genotypes), way, training=training)


@pytest.mark.parametrize("norm_order", ["act_norm", "norm_act"])
@pytest.mark.parametrize("way", WAYS)
def test_engines_agree_where_samples_share_deletions(way: str, norm_order: str) -> None:
    """A cross of queries and arrays, some genotypes twice, the wild type, and one of 500 genes."""
    graph = random_cell_graph(11, terms=20, genes=520)
    random = np.random.default_rng(2)
    crosses = [[q, q + 1, a] for q in (0, 7) for a in random.choice(500, 12, replace=False) + 10]
    genotypes = [*crosses, *crosses[:5], [], [], list(range(500)), [3], [3]]
    genotypes += [[int(gene)] for gene in range(510)]  # each moves every neuron above it
    config = ModelConfig(width_min=2, width_ratio=0.01, norm_order=norm_order)
    assert_equivalent(graph, config, batch_of(graph, genotypes), way)


@pytest.mark.parametrize("way", WAYS)
def test_every_sample_hits_every_root(way: str) -> None:
    graph = random_cell_graph(5)
    roots = graph.edges[graph.edges[:, 1] == 0, 0]
    genes = graph.annotations[np.isin(graph.annotations[:, 0], roots), 1][:3]
    genotypes = [[int(g), other] for g in genes for other in (10, 11, 12) if other != g]
    assert_equivalent(graph, ModelConfig(width_min=2), batch_of(graph, genotypes), way)


@pytest.mark.parametrize("way", WAYS)
def test_smallest_hierarchy(way: str) -> None:
    graph = cell_graph([(1, 0)], [(1, 0)], terms=2, genes=1)
    batch = batch_of(graph, [[], [0]])
    assert_equivalent(graph, ModelConfig(width_min=1), batch, way)


@pytest.mark.parametrize("way", WAYS)
def test_engines_agree_in_float32(way: str) -> None:
    graph = random_cell_graph(1)
    # A bias before batch norm has no gradient, and what rounding leaves of it does not agree.
    config = ModelConfig(width_min=5, norm_order="act_norm")
    batch = batch_of(graph, GENOTYPES)
    assert_equivalent(graph, config, batch, way, dtype=torch.float32, tolerance=1e-4)


@pytest.mark.parametrize("way", WAYS)
def test_training_stays_together(way: str) -> None:
    graph = random_cell_graph(7)
    batch = batch_of(graph, GENOTYPES)
    trained = []
    with running(way) as engine:
        for name in ("reference", engine):
            torch.manual_seed(0)
            model = DCell(graph, ModelConfig(width_min=3), engine=name).double()
            optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
            for _ in range(20):
                optimiser.zero_grad()
                dcell_loss(model(batch), batch.phenotypes.double(), model).backward()
                optimiser.step()
            trained.append(model)
    for name, parameter in trained[1].named_parameters():
        expected = dict(trained[0].named_parameters())[name]
        assert_equal(parameter, expected, 1e-6, f"{name}: ")


@pytest.mark.parametrize("way", WAYS)
def test_second_backward_starts_from_zero(way: str) -> None:
    graph = random_cell_graph(4)
    batch = batch_of(graph, GENOTYPES)
    with running(way) as engine:
        model = DCell(graph, ModelConfig(width_min=2), engine=engine).double()
        loss = model(batch).square().sum()
        loss.backward(retain_graph=True)
        once = [p.grad.clone() for p in model.parameters()]
        loss.backward()
    for parameter, gradient in zip(model.parameters(), once, strict=True):
        torch.testing.assert_close(parameter.grad, 2 * gradient)


# A few states that samples share, the wild type's neighbours, and one above it.
STATES = [0.0, 0.25, 0.3, 0.999, 2.5]
GRADED = st.lists(
    st.dictionaries(st.integers(0, 14), st.sampled_from(STATES), max_size=5),
    min_size=2,
    max_size=12,
).map(lambda drawn: [*drawn, *({gene: 0.5 - gene % 2} for gene in range(15))])


def graded_batch(graph: CellGraph, genotypes: list[dict[int, float]]) -> MutantStateBatch:
    values = np.random.default_rng(len(genotypes)).normal(size=(len(genotypes), 1))
    return encode_genotypes(
        graph,
        [list(own) for own in genotypes],
        values.astype(np.float32),
        [list(own.values()) for own in genotypes],
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    terms=st.integers(2, 25),
    genotypes=GRADED,
    way=st.sampled_from(WAYS),
    norm_order=st.sampled_from(["act_norm", "norm_act"]),
    variant=st.sampled_from([
        {}, {"gene_input": "disruption"}, {"gene_embedding": 2}, {"layers": 2},
        {"norm": "layer", "activation": "gelu"},
    ]),
    training=st.booleans(),
)  # fmt: skip
def test_engines_agree_on_graded_states(
    seed: int, terms: int, genotypes: list[dict[int, float]], way: str, norm_order: str,
    variant: dict[str, object], training: bool,
) -> None:  # fmt: skip
    graph = random_cell_graph(seed, terms)
    config = ModelConfig(width_min=2, norm_order=norm_order, **variant)
    assert_equivalent(graph, config, graded_batch(graph, genotypes), way, training=training)


@pytest.mark.parametrize("way", WAYS)
def test_graded_states_are_told_apart_in_large_genotypes(way: str) -> None:
    """Sets of more than three genes share a column only where all states agree."""
    graph = random_cell_graph(11, terms=20, genes=60)
    random = np.random.default_rng(0)
    base = {gene: float(random.choice(STATES)) for gene in range(50)}
    genotypes = [base, base, base | {7: 0.1}, base | {7: 0.2}, {7: 0.1}, {7: 0.2}, {7: 0.1}, {}]
    genotypes += [{gene: 0.5} for gene in range(60)]
    config = ModelConfig(width_min=2, width_ratio=0.01)
    assert_equivalent(graph, config, graded_batch(graph, genotypes), way)


@pytest.mark.parametrize("way", WAYS)
def test_states_of_zero_are_deletions(way: str) -> None:
    graph = random_cell_graph(6)
    zeros = [[0.0] * len(genes) for genes in GENOTYPES]
    graded = encode_genotypes(graph, GENOTYPES, states=zeros)
    torch.manual_seed(0)
    model = DCell(graph, ModelConfig(width_min=3)).double().eval()
    with running(way) as model.engine:
        torch.testing.assert_close(model(graded), model(encode_genotypes(graph, GENOTYPES)))


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    genotypes=st.lists(
        st.lists(st.integers(0, 29), max_size=8, unique=True), min_size=2, max_size=9
    ),
    way=st.sampled_from(WAYS),
    width_genes=st.sampled_from(["direct", "contained"]),
)
def test_engines_agree_on_channels(
    seed: int, genotypes: list[list[int]], way: str, width_genes: str
) -> None:
    """Each gene an input a channel; widths are those of the genes."""
    plain = random_cell_graph(seed)
    graph = with_channels(plain, ("deletion", "mutation"))
    config = ModelConfig(width_min=1, width_ratio=0.7, width_genes=width_genes)
    np.testing.assert_array_equal(widths(graph, config), widths(plain, config))
    genotypes = [*genotypes, *([number] for number in range(30))]
    assert_equivalent(graph, config, batch_of(graph, genotypes), way)
