"""A run of one training or of several that differ in their seed: an ensemble.

Each member is a whole run in `members/NUMBER` of the run's folder, with the seed `train.seed` +
NUMBER. `checkpoint.pt` holds the best epoch of each of them, and the calibration of their mean.
"""

import dataclasses
import math
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_specs.chain import Link
from data_specs.errors import InputError
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.parameters import Parameters, changed
from dcell_model import checkpoint
from dcell_model.checkpoint import (
    BEST,
    LAST,
    RECORD,
    Calibration,
    holding_out,
    member_folder,
    prepare_folder,
    spread_of,
)
from dcell_model.data import MutantStateDataset, all_targets, read_parts, usable_samples
from dcell_model.models import restore
from dcell_model.predict import predict_members
from dcell_model.train import loop
from dcell_model.train.inputs import inputs_of
from dcell_model.train.overfit import refuse_overfit
from dcell_model.train.state import Row

SEEDS = 2**32


@holding_out
def run(
    data: Path,
    out: Path,
    parameters: Parameters,
    *,
    resume: bool = False,
    split: str | None = None,
    lines: bool = True,
    after_epoch: Callable[[Row], None] = lambda _: None,
    jobs: int = 1,
) -> dict[str, Any]:
    """Train on the build in `data`, once or as many times as `train.members` says.

    Args:
        data: folder of a build.
        out: folder of the run.
        parameters: as of `loop.run`, with `train.members`.
        resume: continue each member after its last finished epoch, and train those not begun.
        split: name of another split of the build.
        lines: whether every epoch has a line, where the output is not a terminal.
        after_epoch: gets the row of every epoch of a member, one member after another; none where
            they are trained in other processes.
        jobs: members trained at a time, each in a process of its own.

    Returns:
        The record that is also in `out/train.json`. That of an ensemble has the rows of its members
        in `members`; `history` is their mean, with the sum of their seconds.

    Raises:
        InputError: see `loop.run`; an ensemble under torchrun.
    """
    config = parameters.train
    if config.members == 1:
        return loop.run(
            data, out, parameters, resume=resume, split=split, lines=lines,
            after_epoch=after_epoch,
        )  # fmt: skip
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError(
            f"train.members={config.members}: torchrun trains one network with all processes. "
            "Train the members without it, or one network (train.members=1)."
        )
    refuse_overfit(config, f"an ensemble (train.members={config.members})")
    inputs_of(data, parameters, split)
    prepare_folder(out, resume)
    tasks = [
        (data, member_folder(out, index), with_seed_above(parameters, index), resume, split)
        for index in range(config.members)
    ]
    if jobs > 1:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=context) as pool:
            for done in [pool.submit(_train, *task, False) for task in tasks]:
                done.result()
    else:
        for index, task in enumerate(tasks):
            if lines:
                print(f"member {index + 1} of {len(tasks)}", flush=True)
            _train(*task, lines, after_epoch)
    return _join(data, out, parameters, [folder for _, folder, *_ in tasks], split)


def with_seed_above(parameters: Parameters, index: int) -> Parameters:
    """The same with a seed so much above theirs; after the highest comes 0."""
    seed = (parameters.train.seed + index) % SEEDS
    return dataclasses.replace(parameters, train=dataclasses.replace(parameters.train, seed=seed))


def _train(
    data: Path,
    folder: Path,
    parameters: Parameters,
    resume: bool,
    split: str | None,
    lines: bool,
    after_epoch: Callable[[Row], None] = lambda _: None,
) -> None:
    loop.run(
        data, folder, parameters, resume=resume and (folder / LAST).is_file(), split=split,
        lines=lines, after_epoch=after_epoch,
    )  # fmt: skip


def _join(
    data: Path, out: Path, parameters: Parameters, folders: Sequence[Path], split: str | None
) -> dict[str, Any]:
    """Write the checkpoint and the record of an ensemble, of those of its members."""
    states = [checkpoint.load(folder / BEST) for folder in folders]
    records = [read_json(folder / RECORD) for folder in folders]
    first, *others = states
    state = {
        **{key: value for key, value in first.items() if key != "sha256"},
        "members": [member["model"] for member in others],
    }
    layout = DataLayout(data, split)
    dataset = MutantStateDataset(layout.store, phenotypes=first["phenotypes"])
    state["calibration"] = _calibration(state, layout, dataset, parameters, out).to_checkpoint()
    sha256 = checkpoint.save(state, out / BEST)
    best = [_best_row(member) for member in records]
    record = {
        **records[0],
        "settings": changed(parameters),
        "parameters": sum(member["parameters"] for member in records),
        "epochs": max(member["epochs"] for member in records),
        "best_epoch": int(np.median([member["best_epoch"] for member in records])),
        "link": Link("checkpoint", sha256, first["made_from"]).to_json(),
        "history": _mean_history([member["history"] for member in records]),
        "members": [
            {
                "seed": with_seed_above(parameters, index).train.seed,
                "epochs": member["epochs"],
                "best_epoch": member["best_epoch"],
                "val_loss": row["val_loss"],
                "val_pearson": row["val_pearson"],
            }
            for index, (member, row) in enumerate(zip(records, best, strict=True))
        ],
    }
    record["seconds_per_epoch"] = float(np.median([row["seconds"] for row in record["history"]]))
    write_json(out / RECORD, record)
    return record


def _calibration(
    state: checkpoint.Checkpoint,
    layout: DataLayout,
    dataset: MutantStateDataset,
    parameters: Parameters,
    out: Path,
) -> Calibration:
    """Of the members' mean, on the validation part."""
    targets = all_targets(dataset)
    parts = usable_samples(targets, read_parts(layout))
    samples = parts["val"]
    if not len(samples):
        return Calibration.none(len(state["phenotypes"]))
    members = restore(state, layout, dataset, out / BEST)
    scale = state["target_mean"], state["target_std"]
    predictions = predict_members(members, dataset, samples, scale)
    return Calibration.fit(
        predictions.mean(dim=0), torch.from_numpy(targets[samples]),
        line=parameters.train.calibrate,
        centre=torch.from_numpy(targets[parts["train"]].mean(axis=0, dtype=np.float64)),
        spread=spread_of(predictions),
    )  # fmt: skip


def _best_row(record: dict[str, Any]) -> Row:
    row: Row = record["history"][record["best_epoch"] - 1]
    return row


def _mean_history(histories: Sequence[Sequence[Row]]) -> list[Row]:
    """The rows that all members have: the mean of their values, the sum of their seconds."""
    rows = []
    for epoch_rows in zip(*histories, strict=False):
        row: Row = {"epoch": epoch_rows[0]["epoch"]}
        for key in epoch_rows[0]:
            values = [each[key] for each in epoch_rows]
            if key != "epoch":
                row[key] = None if None in values else float(np.mean(values))
        rows.append(row | {"seconds": math.fsum(each["seconds"] for each in epoch_rows)})
    return rows
