"""The training loop: fits a DCell, or the network of `train.model`, to a store's training part.

Lightning Fabric moves the model and batches to the device, casts, scales to several processes and
clips; the loop itself is the one below. Epochs are the unit of resumption: `last.pt` is of the end
of one, and the order of an epoch's samples depends on seed and epoch alone.
"""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_specs.chain import Link, digest_of, refuse_other_data
from data_specs.errors import InputError
from data_specs.layout import write_json
from data_specs.parameters import Parameters, changed, weight_decay_section
from data_specs.touching import warn_if_few_touch
from dcell_model import checkpoint
from dcell_model.checkpoint import FIT, LAST, RECORD, Calibration, prepare_folder
from dcell_model.data import (
    EpochBatches,
    SampleWeights,
    TrainingBatches,
    scaling,
)
from dcell_model.dcell.engines import WorkPlan
from dcell_model.machine import (
    fabric_of,
    keep_freed_memory,
    live_metrics,
    progress,
    provenance,
    sums_over_processes,
    threads_for,
)
from dcell_model.models import record_of
from dcell_model.train.compilation import compiled
from dcell_model.train.inputs import Inputs, inputs_of
from dcell_model.train.overfit import keep_fit, shown_epochs
from dcell_model.train.resumed_state import take_up
from dcell_model.train.resumption import refuse_changes
from dcell_model.train.saving import Saving
from dcell_model.train.schedule import rate_after, weight_decay_of
from dcell_model.train.state import PARTS, DivergedError, Row, TrainingState, in_words
from dcell_model.train.validation import validate


def run(
    data: Path,
    out: Path,
    parameters: Parameters,
    *,
    resume: bool = False,
    split: str | None = None,
    lines: bool = True,
    after_epoch: Callable[[Row], None] = lambda _: None,
) -> dict[str, Any]:
    """Train on the build in `data`; write checkpoints, history and live metrics into `out`.

    Args:
        data: folder of a build.
        out: folder of the run, which the caller holds (`run_folder.holding_out`).
        parameters: sections `train` and `model`, or that of another model, are used.
        resume: continue after the last finished epoch, as if never stopped.
        split: name of another split of the build (`DataLayout.splits`).
        lines: whether every epoch has a line, where the output is not a terminal; without them
            the caller warns of the build.
        after_epoch: gets the row of every epoch; an error in it ends the run.

    Returns:
        The record that is also in `out/train.json`: epochs, best epoch, seconds per epoch, ….

    Raises:
        InputError: a folder that is something else, no samples, or a store of another hierarchy.
    """
    keep_freed_memory()
    inputs = inputs_of(data, parameters, split)
    fabric = fabric_of(parameters.train)
    if fabric.is_global_zero:
        prepare_folder(out, resume)
        if lines:
            warn_if_few_touch(inputs.layout)
    fabric.barrier()
    training = _Training(fabric, inputs, parameters, out, resume)
    with threads_for(training.plan.product) as training.threads:
        return training.run(lines, after_epoch)


class _Training:
    """The state of one run, and the loop over it."""

    def __init__(
        self, fabric: Any, inputs: Inputs, parameters: Parameters, out: Path, resume: bool
    ) -> None:
        self.layout, self.dataset, self.samples = inputs.layout, inputs.dataset, inputs.samples
        self.config, self.parameters, self.out = parameters.train, parameters, out
        self.fabric, self.batch_size, config = fabric, inputs.batch_size, self.config
        layout, dataset, samples = self.layout, self.dataset, self.samples
        self.weights = SampleWeights.of(dataset, samples["train"], config.weights)
        self.record = record_of(config.model)
        self.made_from = {name: digest_of(layout, name) for name in self.record.made_from}
        self.threads = torch.get_num_threads()
        self.targets = torch.from_numpy(inputs.targets)
        self.scale = scaling(self.targets[samples["train"]], config.standardize)
        phenotypes = self.targets.shape[1]
        model = self.record.create(layout, dataset, parameters, phenotypes)
        model.sync_batchnorm = config.sync_batchnorm and fabric.world_size > 1
        model.to(fabric.device)
        fused = config.precision != "fp16"  # a fused one unscales after gradients are clipped
        optimizer = torch.optim.AdamW(model.parameters(), lr=config.lr, fused=fused)
        self.seen_genes = dataset.deleted_genes(samples["train"])
        self.plan = WorkPlan("train.engine", math.inf)  # other models' products are not looked at
        if self.record.plan is not None:
            # By samples that a resumed run has, too.
            some = dataset.batch(samples["train"][: self.batch_size])
            with fabric.autocast():
                self.plan = self.record.plan(model, some.to(fabric.device))
        order = EpochBatches(
            samples["train"], self.batch_size, seed=config.seed,
            rank=fabric.global_rank, processes=fabric.world_size,
            # Statistics of its own need two samples in every process.
            least=fabric.world_size * (1 if config.sync_batchnorm else 2),
        )  # fmt: skip
        self.batches = TrainingBatches(
            dataset, order, fabric.device, config.num_workers, self.plan.ahead, self.plan.threads
        )
        steps = config.epochs * -(-len(self.batches) // config.accumulate)
        given = getattr(parameters, weight_decay_section(parameters)).weight_decay
        self.weight_decay = weight_decay_of(config, steps, given)
        self.state, self.calibration = TrainingState(), Calibration.none(phenotypes)
        saved = self._saved() if resume else None
        if saved is None:
            self.state.preparation = self.record.prepare(model)
        else:
            take_up(saved, model, optimizer, out / LAST)
            self._go_on(saved)
        self.saving = Saving(out, self.state, self._last)
        self.plain_model = model
        run_by = compiled(model, self.record, config, leader=fabric.is_global_zero)
        self.model, self.optimizer = fabric.setup(run_by, optimizer)

    def run(self, lines: bool, after_epoch: Callable[[Row], None]) -> dict[str, Any]:
        config, state = self.config, self.state
        leader, steps = self.fabric.is_global_zero, len(self.batches)
        done = len(state.history) * steps + int(state.under_way["steps"])
        with (
            live_metrics(self.out / "live", leader, state.history) as log,
            progress(
                "training", config.epochs * steps, done=done, visible=leader, lines=lines
            ) as shown,
        ):
            while not state.end(config.epochs, config.patience):
                row = self._epoch(shown.advance)
                with self.saving.before_an_end():
                    log(row)
                    shown.say(*in_words(row, config.epochs))
                    after_epoch(row)
        self.saving.finish()
        record = self._record()
        if leader:
            write_json(self.out / RECORD, record)
        return record

    def _epoch(self, advance: Any) -> dict[str, Any]:
        epoch = len(self.state.history) + 1
        start = time.perf_counter()
        train_loss, *parts = self._train_one_epoch(epoch, advance)
        self._take_statistics()
        seconds = time.perf_counter() - start
        row = {"epoch": epoch, "train_loss": train_loss, "val_loss": None, "val_pearson": None}
        judged, self.calibration, predicted = validate(
            self.fabric, self.plain_model, self.dataset, self.samples, self.targets, self.scale,
            calibrate=self.config.calibrate,
        )  # fmt: skip
        row |= judged | {"seconds": seconds, "lr": self.optimizer.param_groups[0]["lr"]}
        row |= {k: v if math.isfinite(v) else None for k, v in zip(PARTS, parts, strict=True)}
        if not math.isfinite(train_loss):
            raise DivergedError(epoch, train_loss)
        improved = self.state.finish_epoch(row, self.config.select)
        if self.fabric.is_global_zero:
            if self.config.overfit is not None and self._is_shown(epoch):
                few = self.samples["val"]
                keep_fit(self.out / FIT, epoch, few, self.targets[few, 0].numpy(),
                         predicted[:, 0].numpy())  # fmt: skip
            self.saving.finish_epoch(self._describe() if improved else None)
        return row

    def _is_shown(self, epoch: int) -> bool:
        """Whether a run with `train.overfit` keeps the predictions of an epoch."""
        epochs = self.config.epochs
        at_end = bool(self.state.end(epochs, self.config.patience))
        return at_end or epoch in shown_epochs(epochs)

    def _train_one_epoch(self, epoch: int, advance: Any) -> list[float]:
        """The loss of an epoch, mean over its samples, and its `PARTS`."""
        config, model, optimizer = self.config, self.model, self.optimizer
        done = int(self.state.under_way["steps"])
        self.batches.order.begin(epoch, done)
        model.train()
        mean, std = (value.to(self.fabric.device) for value in self.scale)
        order, leader = self.batches.order, self.fabric.is_global_zero
        total = torch.tensor(self.state.losses(), dtype=torch.float64) * leader
        seen = int(self.state.under_way["samples"])
        optimizer.zero_grad()
        for step, batch in enumerate(self.batches, start=done + 1):
            self._set_rate((epoch - 1 + (step - 1) / len(self.batches)) / config.epochs)
            closing = step % config.accumulate == 0 or step == len(self.batches)
            with self.fabric.no_backward_sync(model, enabled=not closing):
                heads = model(batch, dense=False)
                parts = self.record.loss(
                    heads.float(),
                    (batch.phenotypes - mean) / std,
                    self.plain_model,
                    aux_weight=config.aux_weight,
                    aux_reduction=config.aux_reduction,
                    l2=config.l2,
                    weights=self.weights(batch),
                )
                # Gradients are averaged over the processes, whose parts may differ by a sample.
                share = len(batch) * order.processes / order.size(step - 1)
                loss = parts.total
                self.fabric.backward(loss * (share / config.accumulate))
            if closing:
                if config.clip:
                    self.fabric.clip_gradients(model, optimizer, max_norm=config.clip,
                                               error_if_nonfinite=False)  # fmt: skip
                optimizer.step()
                optimizer.zero_grad()
            losses = torch.stack([loss, *parts]).detach().double()
            total = total.to(losses.device) + losses * len(batch)
            seen += order.size(step - 1)
            if closing and step < len(self.batches) and self._is_due(step):
                so_far, *of_parts = sums_over_processes(self.fabric, total)
                self.state.under_way = {
                    "steps": step, "loss": so_far, "parts": of_parts, "samples": seen,
                    "processes": order.processes,
                }  # fmt: skip
                if self.fabric.is_global_zero:
                    self.saving.write()
            advance()
        self.state.begin_epoch()
        return [value / seen for value in sums_over_processes(self.fabric, total)]

    def _is_due(self, step: int) -> bool:
        """Whether a checkpoint is to be written in the middle of an epoch."""
        every = self.config.checkpoint_steps
        # Steps of an accumulation belong together: the first whole one after each multiple.
        return every is not None and step % every < self.config.accumulate

    def _set_rate(self, progress: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate_after(progress, self.config)
            group["weight_decay"] = self.weight_decay

    def _take_statistics(self) -> None:
        """The statistics with which batch norm evaluates, always of the same samples."""
        samples, most, model = self.samples["train"], self.config.norm_samples, self.plain_model
        if self.record.take_statistics is None or not most:
            return
        if len(samples) > most:
            random = np.random.default_rng(self.config.seed)
            samples = np.sort(random.choice(samples, most, replace=False))
        if model.sync_batchnorm:  # the processes' parts make up one batch
            samples = samples[self.fabric.global_rank :: self.fabric.world_size]
        self.record.take_statistics(model, self.dataset.batch(samples).to(self.fabric.device))

    def _describe(self) -> checkpoint.Checkpoint:
        """The model as it is, with all that a checkpoint says of it."""
        return checkpoint.describe(
            self.plain_model, self.parameters, self.dataset.phenotypes, self.scale,
            len(self.state.history), self.made_from, self.calibration, self.seen_genes,
        )  # fmt: skip

    def _last(self) -> checkpoint.Checkpoint:
        """The content of `last.pt` now."""
        state = self._describe() | self.state.to_checkpoint(self.fabric)
        settings = json.dumps(changed(self.parameters))
        return state | {"optimizer": self.optimizer.state_dict(), "settings": settings}

    def _saved(self) -> checkpoint.Checkpoint:
        """The state that a stopped run left, of these data and parameters."""
        path = self.out / LAST
        state = checkpoint.load(path)
        refuse_other_data(self.layout, state["made_from"], f"the checkpoint {path}")
        refuse_changes(state["parameters"], self.parameters, path)
        return state

    def _go_on(self, state: checkpoint.Checkpoint) -> None:
        """Take up how far a stopped run had come, once all of its state is known to be sound."""
        self.state, self.calibration = TrainingState.of(state, self.fabric), Calibration.of(state)
        under_way = self.state.under_way
        if under_way["steps"] and under_way["processes"] != self.fabric.world_size:
            raise InputError(
                f"{self.out / LAST}: stopped in an epoch on {under_way['processes']} processes, "
                f"now there are {self.fabric.world_size}; resume it on as many"
            )

    def _record(self) -> dict[str, Any]:
        times = [row["seconds"] for row in self.state.history]
        model = self.plain_model
        return {
            "model": self.config.model,
            "epochs": len(self.state.history),
            "best_epoch": self.state.best["epoch"],
            "seconds_per_epoch": float(np.median(times)),
            "parameters": model.num_parameters(),
            **self.record.account(model),
            "batch_size": self.batch_size,
            "samples": {part: len(numbers) for part, numbers in self.samples.items()},
            "engine": model.engine,
            "engine_pass": self.plan.engine_pass,
            "device": str(self.fabric.device),
            "threads": self.threads,
            "precision": self.config.precision,
            "settings": changed(self.parameters),
            **provenance.record(),
            "fingerprint": self.dataset.graph.fingerprint,
            "link": Link("checkpoint", self.state.best["sha256"], self.made_from).to_json(),
            "phenotypes": list(self.dataset.phenotypes),
            **({"pretraining": self.state.preparation} if self.state.preparation else {}),
            "history": self.state.history,
        }
