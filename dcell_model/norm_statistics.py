"""Batch norm's statistics over many training samples at once, for evaluation.

Running averages follow the batches. Most terms are touched by few samples, so that what they
remember of a term is that of the last batches, or of a time when the weights were others, and what
a term makes of it shifts all of its ancestors: evaluation may then be far off where training is
not. Here the statistics are taken anew, of one large batch with the weights as they are, as Wu and
Johnson (2021, arXiv:2105.07576) do; in one batch, so that those of a term fit what its children
give in evaluation. Training does not read them.
"""

import torch

from dcell_model.dataset import MutantStateBatch
from dcell_model.model import DCell
from dcell_model.subsystems import NORM_MOMENTUM


@torch.no_grad()
def take_statistics(model: DCell, batch: MutantStateBatch) -> None:
    """Put the statistics of a batch in place of the running averages.

    A neuron that is the same in all its samples, as those of untouched terms are, keeps the
    variance that it had; its mean is that one value.

    Args:
        model: on the batch's device; without batch norm it stays as it is.
        batch: at least two samples.
    """
    if model.config.norm != "batch":
        return
    mean, variance, before = model.running_mean, model.running_var, model.running_var.clone()
    training, engine = model.training, model.engine
    mean.zero_()
    variance.zero_()
    model.train()
    model.engine = "incremental"  # what the samples have in common is computed once
    model(batch, dense=False)
    model.engine = engine
    model.train(training)
    mean.div_(NORM_MOMENTUM)
    variance.div_(NORM_MOMENTUM)
    variance.copy_(torch.where(variance > 0, variance, before))
