"""Batch statistics over processes: parts of a batch in two processes are the whole batch in one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from data_specs.parameters.sections import Model as ModelConfig
from dcell_model.data.dataset import MutantStateBatch, encode_genotypes
from dcell_model.dcell.loss import dcell_loss
from dcell_model.dcell.model import DCell
from tests.hierarchies import random_cell_graph

CHECKOUT = Path(__file__).parents[4]
GRAPH = random_cell_graph(5, terms=12, genes=9)
GENOTYPES = [[0], [1, 2], [3], [], [4, 5, 6], [7], [0, 8]]
TARGETS = torch.linspace(-1, 2, len(GENOTYPES))[:, None].double()
PARTS = [slice(0, 4), slice(4, 7)]  # of different size, and each touches terms of its own
CONFIGS = [
    ModelConfig(width_min=2),
    ModelConfig(width_min=3, norm_order="norm_act", layers=2),
    ModelConfig(width_min=2, norm_order="norm_act", activation="gelu", gene_embedding=2),
    ModelConfig(width_min=2, attention_heads=2, attention_width=4, layers=2),
]


def batch_of(part: slice) -> MutantStateBatch:
    return encode_genotypes(GRAPH, GENOTYPES[part])


def model_of(config: ModelConfig, engine: str) -> DCell:
    torch.manual_seed(0)
    model = DCell(GRAPH, config, engine=engine).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model.train()


def compare(config: ModelConfig, engine: str, rank: int) -> None:
    """Losses, gradients and running statistics of the parts, against the whole batch's."""
    whole, model = model_of(config, engine), model_of(config, engine)
    expected = dcell_loss(whole(batch_of(slice(None)), dense=False), TARGETS, whole)
    expected.backward()
    model.sync_batchnorm = True
    part = PARTS[rank]
    targets = TARGETS[part]
    loss = dcell_loss(model(batch_of(part), dense=False), targets, model)
    loss = loss * (len(targets) / len(TARGETS))
    loss.backward()
    total = loss.detach().clone()
    dist.all_reduce(total)
    torch.testing.assert_close(total, expected.detach(), rtol=1e-12, atol=0)
    for (name, parameter), other in zip(model.named_parameters(), whole.parameters(), strict=True):
        assert parameter.grad is not None
        dist.all_reduce(parameter.grad)
        torch.testing.assert_close(
            parameter.grad, other.grad, rtol=1e-9, atol=1e-12, msg=lambda m, n=name: f"{n}: {m}"
        )
    for buffer, other in zip(model.buffers(), whole.buffers(), strict=True):
        torch.testing.assert_close(buffer, other, rtol=1e-12, atol=1e-15)
    model.eval()
    with torch.no_grad():  # without the other process
        torch.testing.assert_close(model(batch_of(part)), whole.eval()(batch_of(part)))


@pytest.mark.slow
def test_parts_of_a_batch_are_the_batch(tmp_path: Path) -> None:
    """Two processes (gloo), every engine, in float64."""
    command = [sys.executable, "-W", "error", "-m", __name__, str(tmp_path / "meet")]
    processes = [
        subprocess.Popen(
            [*command, str(rank)], cwd=CHECKOUT, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        for rank in range(2)
    ]  # fmt: skip
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(errors)[-3000:]


def test_alone_a_sample_has_no_variance() -> None:
    with pytest.raises(ValueError, match="one sample has no variance"):
        model_of(CONFIGS[0], "incremental")(batch_of(slice(0, 1)))


def main(meet: str, rank: int) -> None:
    """One of the two processes."""
    dist.init_process_group("gloo", init_method=f"file://{meet}", rank=rank, world_size=2)
    for config in CONFIGS:
        for engine in ("reference", "incremental"):
            compare(config, engine, rank)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
