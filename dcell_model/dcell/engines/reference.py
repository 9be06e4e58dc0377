"""The equations of DCell, term by term, as plainly as they can be written: the oracle.

Shapes: B samples, K neurons of the children, m direct genes, out neurons, P phenotypes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from dcell_model.data import MutantStateBatch, sizes_of
from dcell_model.dcell.attention import attend
from dcell_model.dcell.engines.processes import samples_everywhere, sum_everywhere
from dcell_model.dcell.layout import NORM_EPS, NORM_MOMENTUM
from dcell_model.dcell.parameters import DCellParameters
from dcell_model.dcell.per_term import Subsystem, split_by_term


def forward(model: DCellParameters, batch: MutantStateBatch) -> Tensor:
    """`[T, B, P]` predictions of all heads."""
    return torch.stack(outputs_and_heads(model, batch)[1])


def outputs_and_heads(
    model: DCellParameters, batch: MutantStateBatch
) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs `[B, out]` and heads `[B, P]` of every term."""
    x = gene_inputs(model, batch)
    everywhere = samples_everywhere(model, len(batch))
    annotations = model.graph.annotations
    subsystems = split_by_term(model)
    outputs: list[Tensor] = [x] * len(subsystems)
    heads: list[Tensor] = [x] * len(subsystems)
    for term in reversed(range(len(subsystems))):  # children have larger indices than parents
        own = subsystems[term]
        genes = annotations[model.layout.gene_rows(term), 1]
        children = [outputs[child] for child in model.layout.children[term]]
        inputs = torch.cat([*children, x[:, genes].flatten(1)], dim=1)  # [B, K + m]
        inputs = attend(own, model.layout.tokens[term], inputs, model.config.attention_heads)
        z = F.linear(inputs, own.weight, own.bias)  # [B, out]
        if own.second_weight is not None:
            z = F.linear(model.activate(z), own.second_weight, own.second_bias)
        if model.config.norm_order == "act_norm":
            outputs[term] = normalise(model, own, model.activate(z), everywhere)
        else:
            outputs[term] = model.activate(normalise(model, own, z, everywhere))
        heads[term] = F.linear(outputs[term], own.head_weight, own.head_bias)  # [B, P]
    return outputs, heads


def gene_inputs(model: DCellParameters, batch: MutantStateBatch) -> Tensor:
    """`[B, G, max(1, E)]`: the states, 1 in the wild type, or their complement, embedded."""
    change = model.bias.new_zeros(len(batch), model.graph.num_genes)
    size = 1 if batch.state is None else sizes_of(batch.state).to(change.dtype)
    change[batch.sample, batch.gene] = size
    x = change if model.config.gene_input == "disruption" else 1 - change
    return x[..., None] * model.embedding if model.config.gene_embedding else x[..., None]


def normalise(model: DCellParameters, own: Subsystem, h: Tensor, everywhere: int) -> Tensor:
    """Batch norm, layer norm or nothing over `[B, out]`, of so many samples in all processes."""
    if model.config.norm == "batch" and everywhere != len(h):
        return _batch_norm_everywhere(own, h, everywhere)
    if model.config.norm == "batch":
        return F.batch_norm(
            h, own.running_mean, own.running_var, own.norm_weight, own.norm_bias,
            training=model.training, momentum=NORM_MOMENTUM, eps=NORM_EPS,
        )  # fmt: skip
    if model.config.norm == "layer":
        return F.layer_norm(h, h.shape[1:], own.norm_weight, own.norm_bias, NORM_EPS)
    return h


def _batch_norm_everywhere(own: Subsystem, h: Tensor, everywhere: int) -> Tensor:
    """Batch norm in training by the statistics of all processes' samples."""
    assert own.running_mean is not None
    assert own.running_var is not None
    assert own.norm_weight is not None
    assert own.norm_bias is not None
    mean = sum_everywhere(h.sum(0)) / everywhere
    var = sum_everywhere((h - mean).square().sum(0)) / everywhere
    with torch.no_grad():
        own.running_mean.lerp_(mean, NORM_MOMENTUM)
        own.running_var.lerp_(var * everywhere / (everywhere - 1), NORM_MOMENTUM)
    return (h - mean) * (var + NORM_EPS).rsqrt() * own.norm_weight + own.norm_bias
