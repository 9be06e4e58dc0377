"""Every launch of a pass against the kernel's plain twin; on a CPU in Triton's interpreter."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from data_specs.cell_graph import CellGraph
from data_specs.parameters import Model
from dcell_model.dcell.columns import found_columns
from dcell_model.dcell.engines import columns_pass
from dcell_model.dcell.engines.weights import Weights
from dcell_model.dcell.gpu import Hierarchy, Plan, Planned, Sizes
from dcell_model.dcell.model import DCell
from dcell_model.dcell.native import load
from tests.columns_in_torch import TWINS, Given
from tests.hierarchies import cell_graph, random_cell_graph

pytest.importorskip("triton", reason="Triton has no wheel for this platform")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(load() is None, reason="plans need the native library"),
]
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
Launched = dict[str, int]


class _Checked:
    """A kernel that is compared with its twin whenever it is launched."""

    def __init__(self, kernel: Any, launched: Launched, tolerance: float) -> None:
        self.kernel, self.launched, self.tolerance = kernel, launched, tolerance

    def __getitem__(self, grid: Any) -> Callable[..., None]:
        def launch(*arguments: Any, **options: Any) -> None:
            name = self.kernel.__name__
            names = inspect.signature(self.kernel.fn).parameters
            given = dict(zip(names, arguments, strict=False)) | options
            twin = {
                key.removesuffix("_ptr"): value.cpu().clone() if torch.is_tensor(value) else value
                for key, value in given.items()
            }
            at = Given(**twin)
            TWINS[name](at)
            self.kernel[grid](*arguments, **options)
            self.launched[name] = self.launched.get(name, 0) + 1
            for key, value in given.items():
                if torch.is_tensor(value) and value.is_floating_point():
                    own = key.removesuffix("_ptr")
                    # Rubbish in memory that is not written yet is equal on both sides.
                    expected, t = getattr(at, own).detach(), self.tolerance
                    torch.testing.assert_close(
                        value.cpu(), expected, rtol=t, atol=t, equal_nan=True,
                        msg=lambda m, own=own: f"{name}, {own}: {m}",
                    )  # fmt: skip

        return launch


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], Launched]]:
    from dcell_model.dcell.gpu import backward_kernels, forward_kernels

    def check(tolerance: float) -> Launched:
        launched: Launched = {}
        for module in (forward_kernels, backward_kernels):
            for name in TWINS:
                if hasattr(module, name):
                    kernel = getattr(module, name)
                    monkeypatch.setattr(module, name, _Checked(kernel, launched, tolerance))
        return launched

    return check


def plan_of(graph: CellGraph, model: DCell, genotypes: list[list[int]]) -> list[Tensor]:
    genes = torch.tensor([g for genotype in genotypes for g in genotype], dtype=torch.int64)
    sample = torch.repeat_interleave(torch.tensor([len(genotype) for genotype in genotypes]))
    *tensors, sizes = columns_pass.plan_of(model.layout, sample, genes, len(genotypes))
    return [*(tensor.to(DEVICE) for tensor in tensors), sizes]


def run(
    graph: CellGraph, config: Model, genotypes: list[list[int]], *, training: bool = True,
    product: torch.dtype = torch.float64, dtype: torch.dtype = torch.float64, phenotypes: int = 1,
    known: bool = False,
) -> None:  # fmt: skip
    """Both passes over a batch, with gradients of all heads drawn at random."""
    from dcell_model.dcell.gpu.launches import Launches, Options

    torch.manual_seed(0)
    model = DCell(graph, config, phenotypes=phenotypes).to(dtype).to(DEVICE)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    plan = plan_of(graph, model, genotypes)
    weights = Weights(*(tensor.detach().clone() for tensor in Weights.of(model).to_list()))
    room = Sizes.of(plan[-1].tolist()[1:])
    given = torch.randn_like(weights.bias) if known else weights.bias.new_empty(0)
    options = Options(training, known, product, tf32=False)
    launches = Launches(model.layout, options, weights, (plan[0], plan[1]), room)
    wild, difference, _, _, *saved = launches.forward(given)
    grad = torch.randn_like(wild), torch.randn_like(difference)
    launches.backward(*grad, tuple(saved))


# A term with two tiles of rows, neurons and genes; a branch that no sample touches.
WIDE = cell_graph(
    [(1, 0), (2, 0), (3, 1), (3, 2), (4, 0)],
    [(1, g) for g in range(40)] + [(3, 40), (2, 41), (3, 42), (4, 43)], terms=5, genes=44,
)  # fmt: skip
GENOTYPES = [[], [0], [1, 2], [1, 2], [14], [3, 4, 5], [0, 14], [6], [7, 8, 9]]


@pytest.mark.parametrize(
    ("graph", "config", "genotypes"),
    [
        (random_cell_graph(3), Model(width_min=2, norm="none", norm_order="norm_act"), [[0]]),
        (
            random_cell_graph(1),
            Model(width_min=3, norm_order="act_norm"),
            [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11], [12, 13]],
        ),
        (
            random_cell_graph(2, terms=6),
            Model(width_min=5, norm_order="norm_act", activation="gelu", gene_input="disruption"),
            [[g % 14, (g * 5 + g // 14) % 14] for g in range(123)],
        ),
        # A chain below the first term is touched; the other branch's deeper strata stay empty.
        (
            cell_graph([(1, 0), (2, 0), (3, 2), (4, 3)], [(1, 0), (4, 1)], terms=5, genes=2),
            Model(width_min=2, norm_order="act_norm", activation="gelu"),
            [[0], [], [0]],
        ),
        (random_cell_graph(3), Model(width_min=2, norm_order="norm_act"), [[], [14]]),
        (
            WIDE,
            Model(width_min=5, width_ratio=1.2, norm_order="norm_act"),
            [[g, g + 1] for g in range(34)] + [[g, g + 3] for g in range(33)] + [[40], []],
        ),
        (cell_graph([], [(0, 0)], terms=1, genes=1), Model(norm_order="norm_act"), [[0], [], [0]]),
    ],
    ids=["1_sample", "5", "123", "empty_stratum", "untouched", "wider_than_a_tile", "one_term"],
)
def test_kernels_do_what_their_twins_do(
    checked: Callable[[float], Launched], graph: CellGraph, config: Model,
    genotypes: list[list[int]],
) -> None:  # fmt: skip
    launched = checked(1e-9)
    run(graph, config, genotypes)
    strata = graph.num_strata
    edges = 0 if graph.num_terms == 1 else 1
    assert launched.pop("pull_along_edges", 0) == launched.pop("products_of_edges", 0)
    assert launched == {
        "wild_type_genes": 1, "outputs_of_terms": strata, "heads_of_rows": 1,
        "gradients_of_rows": strata, "gradients_of_terms": strata, "gradients_of_genes": 1,
        "gradients_of_heads": 1, **({"gradients_of_edges": 1} if edges else {}),
    }  # fmt: skip


@pytest.mark.parametrize("order", ["act_norm", "norm_act"])
@pytest.mark.parametrize(
    ("activation", "norm", "training"),
    [("tanh", "batch", True), ("tanh", "batch", False), ("relu", "batch", True),
     ("gelu", "batch", False), ("gelu", "none", True)],
)  # fmt: skip
def test_variants(
    checked: Callable[[float], Launched], order: Any, activation: Any, norm: Any, training: bool
) -> None:
    checked(1e-8 if activation == "tanh" else 1e-9)  # the twin undoes a tanh
    config = Model(width_min=3, norm_order=order, activation=activation, norm=norm)
    run(random_cell_graph(1), config, GENOTYPES, training=training, phenotypes=2)


def test_a_known_wild_type_and_single_precision(checked: Callable[[float], Launched]) -> None:
    config = Model(width_min=3, norm_order="norm_act")
    launched = checked(2e-5)
    run(random_cell_graph(1), config, GENOTYPES, training=False, known=True,
        dtype=torch.float32, product=torch.float32)  # fmt: skip
    assert "wild_type_genes" not in launched


def test_half_precision_of_products(checked: Callable[[float], Launched]) -> None:
    """The interpreter multiplies the bits of bf16 as integers; float16 takes the same way."""
    checked(2e-2)
    config = Model(width_min=20, norm="none", norm_order="norm_act")
    run(random_cell_graph(1), config, GENOTYPES, product=torch.float16, dtype=torch.float32)


def test_rows_without_samples_change_nothing() -> None:
    """A column whose multiplicity is zero is there, and counts for nothing."""
    from dcell_model.dcell.gpu.launches import Launches, Options

    graph, config = random_cell_graph(1), Model(width_min=3, norm_order="act_norm")
    torch.manual_seed(0)
    model = DCell(graph, config).double().to(DEVICE)
    own, genotypes = Hierarchy.of(model.layout), [[0], [1, 2], [3], [1, 2, 4]]
    results = []
    for made_of in (3, 4):
        genes = torch.tensor([g for genotype in genotypes[:made_of] for g in genotype])
        sample = torch.repeat_interleave(torch.tensor([len(g) for g in genotypes[:made_of]]))
        with found_columns(model.layout, sample, genes, made_of) as found:
            planned = Planned(model.layout, found, made_of)
            room = planned.sizes.padded()
            narrow, wide, _, count, of_sample, of_column = planned.pack(room)
        if made_of == 4:  # the last sample is taken away, but not the columns that it alone has
            plan = Plan.unpacked((narrow, wide), room, own)
            plan.samples[0] = 3
            ends = plan.row_start[1 : graph.num_terms + 1]
            rank = torch.repeat_interleave(plan.row_start[: graph.num_terms + 1].diff())
            columns = torch.ones(len(rank), dtype=torch.bool)
            columns[ends - 1] = False
            rows = columns.nonzero()[of_column[of_sample == 3], 0]
            plan.shared[rows] -= 1
            plan.shared[[int(end) - 1 for r, end in enumerate(ends) if r not in rank[rows]]] -= 1
            count[of_column[of_sample == 3]] -= 1
            assert (count == 0).any()
        weights = Weights(*(tensor.detach().clone() for tensor in Weights.of(model).to_list()))
        options = Options(True, False, torch.float64, tf32=False)
        packed = narrow.to(DEVICE), wide.to(DEVICE)
        launches = Launches(model.layout, options, weights, packed, room)
        wild, difference, mean, var, *saved = launches.forward(weights.bias[:0])
        some = torch.zeros_like(difference)
        some[: len(count)] = (count > 0)[:, None].to(DEVICE)
        gradients = launches.backward(torch.ones_like(wild), some, tuple(saved))
        results.append([wild, mean, var, *gradients])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a.cpu(), b.cpu(), rtol=1e-10, atol=1e-12)
