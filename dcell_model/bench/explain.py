"""Measures whether `dcell explain` finds the subsystems that the simulator has planted.

For each simulated build and the run on it: how often a planted term scores higher than another (the
area under the ROC curve), and how many terms of each kind pass a false discovery rate of 5 %. The
root is omitted. `samples`, how many genotypes touch a term, stands beside the scores: a score that
did no better would find only what a screen deletes often.
"""

import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from annotated_types import MinLen

from data_specs.chain import trained_folder
from data_specs.command_line import Folder, OutputFile, run_command
from data_specs.errors import InputError
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.outputs import refuse_part_of
from data_specs.parameters import Count
from dcell_model.bench.command import provenance
from dcell_model.checkpoint import BEST, KIND
from dcell_model.explain import SIGNIFICANT, TABLE, TESTED, Settings, run
from dcell_model.written_folders import refuse_file

PROGRAM = "python -m dcell_model.bench.explain"
SCORES = ("ablation", "gradient_input", "head_pearson", "rlipp", "rlipp_gain", "samples")


def planted_terms(data: Path) -> set[str]:
    """Ids of the terms that the phenotype of a simulated build depends on."""
    path = DataLayout(data).simulated / "truth.json"
    if not path.is_file():
        raise InputError(f"{path}: no such file; only simulated builds have a known truth")
    return {function["term"] for function in read_json(path)["planted"]}


def recovery(table: pa.Table, planted: set[str]) -> dict[str, Any]:
    """How well each score of `explain.importance` tells planted terms from others.

    Returns:
        `planted` and `others` (numbers of judged terms), `auc` by score (0.5 is chance), and
        `significant` by score: how many planted ones and others have an FDR of at most 5 %.
    """
    rows = [row for row in table.to_pylist() if row["stratum"] > 0 and row["reason"] is None]
    inside, outside = ([row for row in rows if (row["term"] in planted) == wanted]
                       for wanted in (True, False))  # fmt: skip
    return {
        "planted": len(inside),
        "others": len(outside),
        "auc": {score: _auc(inside, outside, score) for score in SCORES},
        "significant": {
            score: [sum(row[f"{score}_fdr"] is not None and row[f"{score}_fdr"] <= SIGNIFICANT
                        for row in wanted)
                    for wanted in (inside, outside)]
            for score in TESTED
        },
    }  # fmt: skip


def _auc(inside: Sequence[Mapping[str, Any]], outside: Sequence[Mapping[str, Any]],
         score: str) -> float | None:  # fmt: skip
    values = [[row[score] for row in side if row[score] is not None] for side in (inside, outside)]
    if not all(values):
        return None
    above = np.subtract.outer(*map(np.array, values))
    return round(float(np.mean((above > 0) + 0.5 * (above == 0))), 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explain:
    """Measure whether `dcell explain` finds the subsystems that the simulator has planted."""

    data: Annotated[tuple[Folder, ...], MinLen(1), "folders of simulated builds"]
    run: Annotated[tuple[Folder, ...], "folders of the runs on them, in the same order"]
    permutations: Count = 200
    out: Annotated[OutputFile, "record to write"]

    def __call__(self) -> None:
        if len(self.data) != len(self.run):
            raise InputError(f"{len(self.data)} builds and {len(self.run)} runs; expected a run "
                             "for each build")  # fmt: skip
        refuse_file(self.out, suffix=".json", kind="record")
        for data, folder in zip(self.data, self.run, strict=True):
            refuse_part_of(self.out, data, DataLayout(data).own_of_all(), "build")
            refuse_part_of(self.out, folder, KIND.own, "run")
        record = provenance([*PROGRAM.split(), *sys.argv[1:]])
        record["runs"] = [
            _one(data, folder, self.permutations)
            for data, folder in zip(self.data, self.run, strict=True)
        ]
        record["mean_auc"] = {score: _mean(score, record["runs"]) for score in SCORES}
        write_json(self.out, record)
        for score, auc in record["mean_auc"].items():
            print(f"{score:<16} {'–' if auc is None else f'{auc:.3f}'}")


def _mean(score: str, runs: Sequence[Mapping[str, Any]]) -> float | None:
    values = [row["auc"][score] for row in runs if row["auc"][score] is not None]
    return round(statistics.mean(values), 3) if values else None


def _one(data: Path, folder: Path, count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as out:
        settings = Settings(permutations=count)
        described = run(trained_folder(folder) / BEST, data, Path(out), settings=settings)
        table = pq.read_table(Path(out) / TABLE)
    metrics = read_json(folder / "metrics.json")
    return {
        "data": str(data),
        "test_pearson": metrics["test"]["pearson"],
        "genotypes": described["samples"],
        **recovery(table, planted_terms(data)),
    }


main = partial(run_command, PROGRAM, Explain)

if __name__ == "__main__":
    main()
