"""Batch statistics over the batches of all processes that train one model.

Every process has a part of a batch. A mean over the whole batch is the sum over the processes of
their own means, each weighted by its share of the samples; so are the means in the backward pass.
What an engine returns for a process is the gradient of all processes' losses with respect to what
this process computes; their sum over the processes is the gradient for the whole batch (Ioffe and
Szegedy 2015, with the batch spread out).
"""

import torch
import torch.distributed as dist
from torch import Tensor

from dcell_model.dcell.parameters import DCellParameters


def shares_statistics(model: DCellParameters) -> bool:
    """Whether batch statistics are taken over the batches of all processes."""
    return model.sync_batchnorm and model.training and model.config.norm == "batch"


def samples_everywhere(model: DCellParameters, samples: int) -> int:
    """Samples over which batch statistics are taken: this process's, or those of all."""
    if not shares_statistics(model):
        return samples
    total = torch.tensor(samples, device=model.bias.device)
    dist.all_reduce(total)
    return int(total)


def mean_everywhere(mean: Tensor, samples: int, everywhere: int) -> Tensor:
    """The mean over all samples, from that over this process's; the same tensor if it is alone."""
    if samples == everywhere:
        return mean
    share = mean * (samples / everywhere)
    dist.all_reduce(share)
    return share


class _SumOverProcesses(torch.autograd.Function):
    """A sum over all processes whose gradient is the sum of theirs."""

    @staticmethod
    def forward(_: object, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: object, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def sum_everywhere(value: Tensor) -> Tensor:
    """The sum of a tensor over all processes; differentiable."""
    total: Tensor = _SumOverProcesses.apply(value)
    return total
