"""Batch norm's statistics over many training samples at once, for evaluation.

Running averages follow the batches. Most terms are touched by few samples, so that what they
remember of a term is that of the last batches, or of a time when the weights were others, and what
a term makes of it shifts all of its ancestors: evaluation may then be far off where training is
not. Here the statistics are taken anew, with the weights as they are, after Wu and Johnson (2021,
arXiv:2105.07576). They average over many batches; here it is one large batch, so that the
statistics of a term fit what its children give in evaluation. The variance is that of these
samples, not the estimate n / (n − 1) times as large that PyTorch keeps: a factor of 256/255 at
every term, on the way to the root, made noise of a model that fits 256 genotypes by heart. Training
does not read them.
"""

import torch

from dcell_model.data import MutantStateBatch
from dcell_model.dcell.engines.processes import samples_everywhere
from dcell_model.dcell.layout import NORM_MOMENTUM
from dcell_model.dcell.model import DCell


@torch.no_grad()
def take_statistics(model: DCell, batch: MutantStateBatch) -> None:
    """Put the statistics of a batch in place of the running averages.

    A neuron that is the same in all samples, as those of untouched terms are, gets that value as
    its mean, and the variance 1, with which it began: what a term that nobody trained makes of a
    deletion is passed on as it is. Divided by what is left of a running average it would be up to
    300 times as much.

    Args:
        model: on the batch's device; without batch norm it stays as it is.
        batch: at least two samples.
    """
    if model.config.norm != "batch":
        return
    averages = model.running_mean, model.running_var
    before = [average.clone() for average in averages]
    training, engine = model.training, model.engine
    for average in averages:
        average.zero_()
    try:
        model.train()
        model.engine = "incremental"  # what the samples have in common is computed once
        model(batch, dense=False)
        samples = samples_everywhere(model, len(batch))
    except BaseException:
        for average, value in zip(averages, before, strict=True):
            average.copy_(value)
        raise
    finally:
        model.engine = engine
        model.train(training)
    for average in averages:
        average.div_(NORM_MOMENTUM)
    model.running_var.mul_((samples - 1) / samples)
    model.running_var[model.running_var == 0] = 1
