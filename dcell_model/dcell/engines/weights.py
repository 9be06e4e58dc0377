"""What the operators of engines take and give back: the flat parameters, in one fixed order."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dcell_model.dcell.layout import NORM_MOMENTUM, Group
from dcell_model.dcell.parameters import DCellParameters
from dcell_model.dcell.tensor_fields import TensorFields


@dataclass(slots=True)
class Weights(TensorFields):
    """The flat parameters, as `DCellParameters` has them; one that it lacks is an empty tensor.

    The gene weights are those against the binary state: an embedding is multiplied in. Mean and
    variance are what batch norm uses: the running ones, or in training those of the batch. The
    gradients of all the others have the same form.
    """

    child: Tensor
    gene: Tensor
    bias: Tensor
    second: Tensor
    second_bias: Tensor
    norm: Tensor
    norm_bias: Tensor
    head: Tensor
    head_bias: Tensor
    mean: Tensor
    var: Tensor

    @classmethod
    def of(cls, model: DCellParameters) -> "Weights":
        """The weights of a model, as operators see them."""
        empty = model.bias.new_empty(0)
        state = dict(model.named_parameters()) | dict(model.named_buffers())
        return cls(
            child=model.child_weight,
            gene=model.gene_columns(),
            bias=model.bias,
            second=state.get("second_weight", empty),
            second_bias=state.get("second_bias", empty),
            norm=state.get("norm_weight", empty),
            norm_bias=state.get("norm_bias", empty),
            head=model.head_weight,
            head_bias=model.head_bias,
            mean=state.get("running_mean", empty),
            var=state.get("running_var", empty),
        )

    def empty_like(self) -> "Weights":
        """Room for the gradients; mean and variance have none."""
        gradients = Weights(*(torch.empty_like(tensor) for tensor in self.to_list()))
        gradients.mean, gradients.var = self.bias.new_empty(0), self.bias.new_empty(0)
        return gradients

    def children_of(self, group: Group) -> Tensor:
        """`[Σ fan_in, width]`: a row for each child neuron of each term."""
        return self.child[group.child_weights].view(-1, group.width)

    def genes_of(self, group: Group) -> Tensor:
        """`[Σ direct genes, width]`: a row for each gene of each term."""
        return self.gene[group.gene_weights].view(-1, group.width)

    def second_of(self, group: Group) -> Tensor:
        """`[n, width (out), width (in)]`."""
        return self.second[group.second_weights].view(-1, group.width, group.width)

    def head_of(self, group: Group) -> Tensor:
        """`[n, width, P]`."""
        return self.head[group.rows].view(len(group.terms), group.width, -1)


@torch.no_grad()
def update_running_statistics(
    model: DCellParameters, mean: Tensor, var: Tensor, samples: int
) -> None:
    """Move the running mean and (unbiased) variance towards those of a batch, as PyTorch does."""
    model.running_mean.lerp_(mean.to(model.running_mean.dtype), NORM_MOMENTUM)
    unbiased = var * (samples / (samples - 1))
    model.running_var.lerp_(unbiased.to(model.running_var.dtype), NORM_MOMENTUM)


def product_dtype(device: torch.device) -> torch.dtype | None:
    """What matrix products run in: autocast's type where it is on, else the weights' own."""
    if torch.is_autocast_enabled(device.type):
        return torch.get_autocast_dtype(device.type)
    return None
