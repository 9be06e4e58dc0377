"""The Triton kernels in Triton's interpreter, against plain torch."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("triton", reason="Triton has no wheel for this platform")

# The interpreter is chosen when kernels are defined, so the checks run in processes of their own.
CHECK = """
import sys
import numpy as np, torch
from data_specs.parameters import Model
from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.engines import native_pass, torch_pass
from dcell_model.dcell.engines.kernels import KernelEdges
from dcell_model.dcell.loss import dcell_loss
from dcell_model.dcell.model import DCell
from tests.hierarchies import cell_graph, random_cell_graph

native_pass.suits = lambda model: False
calls = []
def run(graph, config, genotypes, kernels, dtype=torch.float64):
    if kernels:
        def edges_of(walk, samples, product):
            calls.append(samples)
            return KernelEdges(walk, samples, product)
        torch_pass.edges_of = edges_of
    else:
        torch_pass.edges_of = plain
    torch.manual_seed(0)
    model = DCell(graph, config, engine="incremental").to(dtype).train()
    targets = np.random.default_rng(0).normal(size=(len(genotypes), 1)).astype(np.float32)
    batch = encode_genotypes(graph, genotypes, targets)
    with torch.autocast("cpu", torch.float16, enabled=dtype == torch.float32):
        heads = model(batch, dense=False)
    loss = dcell_loss(heads, batch.phenotypes.to(dtype), model)
    loss.backward()
    return [loss.detach(), *(p.grad for p in model.parameters()), *model.buffers()]

plain = torch_pass.edges_of
def compare(graph, config, genotypes, dtype=torch.float64, rtol=1e-9, atol=1e-10):
    got = run(graph, config, genotypes, True, dtype)
    expected = run(graph, config, genotypes, False, dtype)
    assert calls
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=rtol, atol=atol)
        assert a.isfinite().all()
"""

CASES = {
    # Each gene once, so that no term has a variance of rounding alone (see test_equivalence).
    "batch_of_5": "compare(random_cell_graph(1), Model(width_min=3), "
    "[[0, 1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11], [12, 13]])",
    "batch_of_123": "compare(random_cell_graph(2, terms=8), Model(width_min=5), "
    "[[g % 14, (g * 5 + 1) % 14] for g in range(123)])",
    "one_touched_sample": "compare(random_cell_graph(3), Model(width_min=1, norm='none'), "
    "[[0], [], []])",
    "nothing_touched": "compare(random_cell_graph(3), Model(width_min=2, norm='layer'), "
    "[[], [14]])",
    # A chain below the first term is touched; the second branch's deeper strata stay empty.
    "empty_stratum": "compare(cell_graph([(1, 0), (2, 0), (3, 2), (4, 3)], "
    "[(1, 0), (4, 1)], terms=5, genes=2), Model(width_min=2, norm='layer'), [[0], [], [0]])",
    "wider_than_a_tile": "compare(cell_graph([(1, 0), (2, 0), (3, 1), (3, 2)], "
    "[(1, g) for g in range(33)] + [(3, 33), (2, 34)], terms=4, genes=35), "
    "Model(width_min=5, width_ratio=1.2), [[g, g + 1] for g in range(0, 34)])",
    # The interpreter multiplies the bits of bf16 as integers; float16 takes the same way.
    "half_products": "compare(random_cell_graph(1), Model(width_min=40, norm='layer'), "
    "[[0, 1], [2], [3], [4, 5]], torch.float32, 2e-2, 2e-2)",
}


def test_kernels_agree_with_plain_torch() -> None:
    """All cases in one process, since to import Triton takes longer than they do."""
    cases = [f"print({name!r}, file=sys.stderr)\n{case}\n" for name, case in CASES.items()]
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", CHECK + "".join(cases)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
