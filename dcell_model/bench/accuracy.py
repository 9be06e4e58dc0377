"""Compares the gradients of a step in float32 with those in float64, for each pass.

Where few samples touch a term, batch norm's gradient is a difference of nearly equal numbers, and
dividing by √(var + eps) multiplies the rest by up to 316, term after term on the way down. How much
of an error a pass can help is told by `weights`: the change of the exact gradient where nothing but
the weights is moved, as rounding to float32 moves numbers.
"""

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np
import torch

from data_specs.command_line import Build, OutputFile, run_command
from data_specs.layout import DataLayout, write_json
from data_specs.outputs import refuse_part_of
from data_specs.parameters import Count
from data_specs.parameters import Model as ModelConfig
from dcell_model.bench.command import provenance
from dcell_model.data import MutantStateBatch, MutantStateDataset
from dcell_model.dcell import DCell, dcell_loss
from dcell_model.dcell.engines import PASSES
from dcell_model.written_folders import refuse_file

ROUNDING = 2.0**-24  # the largest relative error of a number in float32
PROGRAM = "python -m dcell_model.bench.accuracy"
Pass = Callable[[DCell, MutantStateBatch], Any]


def run(dataset: MutantStateDataset, batches: int, batch_size: int) -> dict[str, Any]:
    """Errors of float32 gradients by norm order and pass, and of moved weights.

    Batches are random, models new.

    Returns:
        `‖g32 − g64‖ / ‖g64‖` of the child weights, batch by batch, with median and worst.
    """
    random = np.random.default_rng(0)
    some = [dataset.batch(random.choice(len(dataset), batch_size)) for _ in range(batches)]
    for batch in some:
        batch.phenotypes = torch.nan_to_num(batch.phenotypes[:, :1])
    found: dict[str, Any] = {}
    for order in ("act_norm", "norm_act"):
        config = ModelConfig(norm_order=order)
        torch.manual_seed(0)
        model = DCell(dataset.graph, config)
        exact = _gradients(model.double(), some, PASSES["torch"])
        gradients = {name: _gradients(model.float(), some, run) for name, run in PASSES.items()}
        with torch.no_grad():
            moved = model.double().child_weight
            moved.mul_(1 + ROUNDING * (2 * torch.rand_like(moved) - 1))
        gradients["weights"] = _gradients(model, some, PASSES["torch"])
        found[order] = {}
        for name, those in gradients.items():
            pairs = zip(those, exact, strict=True)
            errors = [float((own - true).norm() / true.norm()) for own, true in pairs]
            found[order][name] = {
                "errors": errors, "median": statistics.median(errors), "worst": max(errors),
            }  # fmt: skip
    return found


def _gradients(
    model: DCell, batches: Sequence[MutantStateBatch], forward: Pass
) -> list[torch.Tensor]:
    return [_gradient(model, batch, forward) for batch in batches]


def _gradient(model: DCell, batch: MutantStateBatch, forward: Pass) -> torch.Tensor:
    model.train().zero_grad()
    heads = forward(model, batch)
    dcell_loss(heads, batch.phenotypes.to(model.bias.dtype), model).backward()
    assert model.child_weight.grad is not None
    return model.child_weight.grad.double()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Compare float32 gradients with float64 on the hierarchy and the genotypes of a build."""

    data: Build
    batches: Count = 5
    batch_size: Count = 512
    out: Annotated[OutputFile, "record to write"]

    def __call__(self) -> None:
        refuse_file(self.out, suffix=".json", kind="record")
        refuse_part_of(self.out, self.data, DataLayout(self.data).own_of_all(), "build")
        dataset = MutantStateDataset(DataLayout(self.data).store)
        found = run(dataset, self.batches, self.batch_size)
        given = {"data": str(self.data), "batches": self.batches, "batch_size": self.batch_size}
        write_json(self.out, provenance([*PROGRAM.split(), *sys.argv[1:]]) | given | found)
        for order in ("act_norm", "norm_act"):
            for name, row in found[order].items():
                print(f"{order}, {name:<8} median {row['median']:.1e}, worst {row['worst']:.1e}")


main = partial(run_command, PROGRAM, Accuracy)

if __name__ == "__main__":
    main()
