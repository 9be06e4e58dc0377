"""Measures the cost of copying the gene networks for each sample, beside encoding genes once.

Published code for interactions over several graphs batches a copy of the whole graph a sample, as
PyG's loaders do, and encodes B · G genes a step; `Multigraph` encodes G. Both are timed here with
the same weights, batches, loss and optimiser, each setting in a process of its own. Published code
also removes a sample's deleted genes from its copy, which saves it next to nothing: it is not done
here, so that both compute the same numbers, which the tests hold them to.
"""

import json
import sys
import time
import warnings
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Gt, MinLen
from torch import Tensor, nn

from data_specs.command_line import Folder, OutputFile, run_command
from data_specs.errors import exit_with_message
from data_specs.gene_networks import read_networks, require_networks
from data_specs.layout import DataLayout, write_json
from data_specs.outputs import refuse_part_of
from data_specs.parameters import Count
from data_specs.parameters import Multigraph as MultigraphConfig
from dcell_model.bench.command import provenance
from dcell_model.bench.process import MeasurementError, measured
from dcell_model.data import MutantStateBatch, MutantStateDataset
from dcell_model.graph_models import Multigraph, pad
from dcell_model.written_folders import refuse_file

MODULE = "dcell_model.bench.graph_copies"
PROGRAM = f"python -m {MODULE}"
SCHEMES = ("once", "copies")
Convolution = Literal["gin", "gatv2", "sage"]
Aggregation = Literal["sum", "mean", "attention", "pairwise"]


class CopiedGraphs(nn.Module):
    """A multigraph model that encodes a copy of the whole graph for each of its B samples.

    Args:
        model: whose weights it has; the two predict the same.
    """

    def __init__(self, model: Multigraph) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: MutantStateBatch) -> Tensor:
        """`[1, B, P]`, as of the model."""
        model, samples, genes = self.model, len(batch), self.model.networks.num_genes
        first_B = torch.arange(samples, device=batch.deleted_gene.device) * genes
        edges = [(own[:, None, :] + first_B[:, None]).flatten(1) for own in model.edges]
        x_MD = model.encoder(model.features.weight.repeat(samples, 1), edges)  # M = B · G
        index_BK, present_BK = pad(batch.deleted_sample, batch.deleted_gene, samples)
        score_BP: Tensor = model.head(x_MD[index_BK + first_B[:, None]], present_BK)
        if model.config.global_branch:
            weight_BG = model.cell.weight(x_MD).view(samples, genes)
            value_BGD = model.cell.value(x_MD).view(samples, genes, -1)
            left_BG = weight_BG.index_put(
                (batch.deleted_sample, batch.deleted_gene), weight_BG.new_tensor(-torch.inf)
            )
            whole, left = (
                torch.einsum("bg,bgd->bd", own.softmax(dim=1), value_BGD)
                for own in (weight_BG, left_BG)
            )
            score_BP = model.gate(score_BP, model.cell.score((whole - left) * genes))
        return score_BP.unsqueeze(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One measurement.

    Attributes:
        data: folder of a build with networks.
        scheme: of `SCHEMES`.
        batch_size: samples a step.
        convolution, aggregation: of the model; everything else has its default.
        seconds: how long to measure, after warming up; three steps at least, forty at most.
    """

    data: str
    scheme: str
    batch_size: int
    convolution: Convolution = "sage"
    aggregation: Aggregation = "mean"
    seconds: float = 5.0


def measure(setting: Setting) -> dict[str, Any]:
    """Time training steps of one setting.

    Returns:
        `milliseconds` of a step (20th, 50th and 80th percentile), `encoded_genes` a step, `edges`
        over all networks, `networks`, `parameters`, and the peak memory of the process in MiB.
    """
    torch.manual_seed(0)
    layout = DataLayout(Path(setting.data))
    dataset = MutantStateDataset(layout.store)
    dataset.phenotypes = dataset.phenotypes[:1]
    config = replace(
        MultigraphConfig(), convolution=setting.convolution, aggregation=setting.aggregation
    )
    model = Multigraph(dataset.graph, read_networks(layout, dataset.gene_ids), config)
    forward = model if setting.scheme == "once" else CopiedGraphs(model)
    optimiser = torch.optim.AdamW(model.parameters(), fused=True)
    random = np.random.default_rng(0)

    def step() -> float:
        size = setting.batch_size
        batch = dataset.batch(random.choice(len(dataset), size, replace=size > len(dataset)))
        began = time.perf_counter()
        optimiser.zero_grad()
        (forward(batch)[0] - torch.nan_to_num(batch.phenotypes)).square().mean().backward()
        optimiser.step()
        return time.perf_counter() - began

    step()
    times: list[float] = []
    start = time.perf_counter()
    while len(times) < 3 or (len(times) < 40 and time.perf_counter() - start < setting.seconds):
        times.append(step())
    low, median, high = np.percentile(np.array(times) * 1e3, [20, 50, 80]).round(3).tolist()
    genes = model.networks.num_genes
    return {
        "milliseconds": {"p20": low, "median": median, "p80": high},
        "steps": len(times),
        "encoded_genes": genes if setting.scheme == "once" else genes * setting.batch_size,
        "networks": len(model.networks.names),
        "edges": sum(own.shape[1] for own in model.edges),
        "parameters": model.num_parameters(),
        "peak_memory_mib": _peak_memory(),
    }


def _peak_memory() -> float:
    """Of this process, as Linux counts it."""
    import resource

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphCopies:
    """Time multigraph's steps with genes encoded once, and with a copy of the graph a sample."""

    data: Annotated[Folder, "build with gene networks"]
    batch_sizes: Annotated[tuple[Count, ...], MinLen(1), "samples a step"] = (8, 32)
    convolution: Convolution = "sage"
    aggregation: Aggregation = "mean"
    threads: Annotated[Count, "of torch's operators"] = 1
    seconds: Annotated[float, Gt(0), "time of each measurement"] = 5.0
    out: Annotated[OutputFile, "record to write"]

    def __call__(self) -> None:
        require_networks(DataLayout(self.data))
        refuse_file(self.out, suffix=".json", kind="record")
        refuse_part_of(self.out, self.data, DataLayout(self.data).own_of_all(), "build")
        record = provenance([*PROGRAM.split(), *sys.argv[1:]]) | {"threads": self.threads}
        record["rows"] = []
        for size in self.batch_sizes:
            rows = [self._row(scheme, size) for scheme in SCHEMES]
            record["rows"] += rows
            print(_shown(*rows), flush=True)
        write_json(self.out, record)

    def _row(self, scheme: str, batch_size: int) -> dict[str, Any]:
        setting = Setting(
            data=str(self.data), scheme=scheme, batch_size=batch_size, seconds=self.seconds,
            convolution=self.convolution, aggregation=self.aggregation,
        )  # fmt: skip
        environment = {"OMP_NUM_THREADS": str(self.threads)}
        arguments = [json.dumps(asdict(setting))]
        row = {key: value for key, value in asdict(setting).items() if key != "data"}
        try:
            found: dict[str, Any] = measured(MODULE, arguments, environment)
        except MeasurementError as error:  # copies may not fit into the memory
            found = {"failed": str(error).splitlines()[-1][:200]}
        return row | found


def _shown(once: dict[str, Any], copies: dict[str, Any]) -> str:
    failed = [f"{row['scheme']}: {row['failed']}" for row in (once, copies) if "failed" in row]
    if failed:
        return f"batch {once['batch_size']:,}: {'; '.join(failed)}"
    before, after = (row["milliseconds"]["median"] for row in (once, copies))
    return (
        f"batch {once['batch_size']:,}: {before:,.1f} ms with {once['encoded_genes']:,} genes "
        f"encoded once, {after:,.1f} ms with {copies['encoded_genes']:,} in copies: "
        f"{after / before:.1f} times"
    )


main = partial(run_command, PROGRAM, GraphCopies)

if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):  # a process for one measurement
        warnings.simplefilter("ignore")
        with exit_with_message():
            print(json.dumps(measure(Setting(**json.loads(sys.argv[1])))))
    else:
        main()
