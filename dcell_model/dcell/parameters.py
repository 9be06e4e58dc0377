"""The flat parameters of a DCell, without a way to run them: what engines take.

For which parameter belongs to which term see `dcell_model.dcell.layout`.
"""

import dataclasses
from typing import Literal

import torch
from torch import Tensor, nn

from data_specs.cell_graph import CellGraph
from data_specs.parameters import Model as ModelConfig
from dcell_model.dcell.activations import ACTIVATIONS
from dcell_model.dcell.layout import SubsystemLayout, tensor_shapes
from dcell_model.dcell.wild_type import WildTypeCache

# Of the five data sets in docs/records/recipe.json the one with fewer (22) is predicted better with
# the activation before the norm, the four with more (182 and up) the other way round.
FEW_TERMS = 100


def with_norm_order(config: ModelConfig, terms: int) -> ModelConfig:
    """The same with the `norm_order` of a hierarchy of so many terms, where none is given."""
    if config.norm_order is not None:
        return config
    order: Literal["act_norm", "norm_act"] = "act_norm" if terms < FEW_TERMS else "norm_act"
    return dataclasses.replace(config, norm_order=order)


class DCellParameters(nn.Module):
    """The parameters of all subsystems in a few flat tensors, without a way to run them.

    Shapes: T terms, R rows (neurons of all terms), P phenotypes, E embedding width.

    Args:
        graph: the hierarchy.
        config: widths, norm, activation and the other variants.
        phenotypes: P, the width of every head.

    Attributes:
        config: with the `norm_order` of this hierarchy where none was given: `act_norm`, the
            paper's, below `FEW_TERMS` terms, else `norm_act`.
        sync_batchnorm: whether statistics in training are taken over the batches of all processes
            of `torch.distributed`, each of which must then run the same steps; false at first.

    Parameters (flat; `export_subsystems` gives them term by term):
        child_weight `[Σ fan_in · out]`, gene_weight `[Σ out (· E)]`, bias `[R]`,
        norm_weight and norm_bias `[R]`, head_weight `[R, P]`, head_bias `[T, P]`; with
        `layers: 2` second_weight `[Σ out²]` and second_bias `[R]`; with `gene_embedding: E`
        embedding `[G, E]`; with `attention_heads` (X numbers in K distinct tokens, A width)
        attention_in `[X, 3A]`, attention_bias `[K, 3A]` and attention_out `[X, A]`.
    """

    running_mean: Tensor
    running_var: Tensor
    gene_of_weight: Tensor

    def __init__(self, graph: CellGraph, config: ModelConfig, *, phenotypes: int) -> None:
        super().__init__()
        self.graph = graph
        self.config = config = with_norm_order(config, graph.num_terms)
        self.layout = layout = SubsystemLayout(graph, config)
        self.sync_batchnorm = False
        self.wild_type_cache = WildTypeCache()
        shapes = tensor_shapes(graph, config, phenotypes)

        def parameter(name: str) -> nn.Parameter:
            return nn.Parameter(torch.empty(shapes[name]))

        self.child_weight = parameter("child_weight")
        self.gene_weight = parameter("gene_weight")
        self.bias = parameter("bias")
        if config.layers == 2:
            self.second_weight = parameter("second_weight")
            self.second_bias = parameter("second_bias")
        if config.gene_embedding:
            self.embedding = parameter("embedding")
        if config.norm != "none":
            self.norm_weight = parameter("norm_weight")
            self.norm_bias = parameter("norm_bias")
        if config.norm == "batch":
            self.register_buffer("running_mean", torch.zeros(shapes["running_mean"]))
            self.register_buffer("running_var", torch.ones(shapes["running_var"]))
        self.head_weight = parameter("head_weight")
        self.head_bias = parameter("head_bias")
        if config.attention_heads:
            self.attention_in = parameter("attention_in")
            self.attention_bias = parameter("attention_bias")
            self.attention_out = parameter("attention_out")
        if config.gene_embedding:
            gene = graph.annotations[layout.gene_weight_pair, 1]
            # Travels with the module to its device, but is not part of its state.
            self.register_buffer("gene_of_weight", torch.from_numpy(gene), persistent=False)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw all weights anew from torch's global generator.

        `init: fan_in` draws from ±1/√fan_in as `nn.Linear` does, `uniform` from ±init_range.
        """
        config, layout = self.config, self.layout
        inputs = torch.from_numpy(
            layout.fan_in + layout.graph.genes_direct * max(1, config.gene_embedding)
        )
        width = torch.from_numpy(layout.widths)

        def draw(parameter: Tensor, fan_in: Tensor) -> None:
            bound = fan_in.clamp(min=1).to(parameter.dtype).rsqrt()
            if config.init == "uniform":
                bound = torch.full_like(bound, config.init_range)
            parameter.uniform_(-1, 1).mul_(
                bound.reshape(bound.shape + (1,) * (parameter.dim() - 1))
            )

        order = torch.from_numpy(layout.order)
        term_of_row = torch.from_numpy(layout.row_term)
        per_term = torch.from_numpy(layout.widths * layout.fan_in)[order]
        draw(self.child_weight, inputs[order].repeat_interleave(per_term))
        of_gene_weight = inputs[layout.graph.annotations[layout.gene_weight_pair, 0]]
        draw(self.gene_weight, of_gene_weight.repeat_interleave(max(1, config.gene_embedding)))
        draw(self.bias, inputs[term_of_row])
        if config.layers == 2:
            draw(self.second_weight, width[order].repeat_interleave((width**2)[order]))
            draw(self.second_bias, width[term_of_row])
        if config.gene_embedding:
            nn.init.normal_(self.embedding)
        if config.norm != "none":
            nn.init.ones_(self.norm_weight)
            nn.init.zeros_(self.norm_bias)
        draw(self.head_weight, width[term_of_row])
        draw(self.head_bias, width)
        if config.attention_heads:  # last, so that all others are drawn as without it
            own = [layout.tokens[term].widths for term in layout.order]
            of_token = torch.tensor([size for sizes in own for size in sizes], dtype=torch.int64)
            draw(self.attention_in, of_token.repeat_interleave(of_token))
            draw(self.attention_bias, of_token)
            draw(
                self.attention_out,
                torch.full_like(self.attention_out[:, 0], config.attention_width),
            )

    def gene_columns(self) -> Tensor:
        """Flat gene weights against the binary state: the embedding, if any, is multiplied in."""
        width = self.config.gene_embedding
        if not width:
            return self.gene_weight
        return (self.gene_weight.view(-1, width) * self.embedding[self.gene_of_weight]).sum(dim=1)

    def activate(self, z: Tensor) -> Tensor:
        """The configured activation."""
        return ACTIVATIONS[self.config.activation].forward(z)

    def num_parameters(self) -> int:
        """Trainable numbers."""
        return sum(parameter.numel() for parameter in self.parameters())

    def weight_penalty(self) -> Tensor:
        """`Σ‖W(t)‖²` over the linear layers of all subsystems."""
        weights = [self.child_weight, self.gene_weight]
        if self.config.layers == 2:
            weights.append(self.second_weight)
        if self.config.attention_heads:
            weights += [self.attention_in, self.attention_out]
        return torch.stack([weight.square().sum() for weight in weights]).sum()
