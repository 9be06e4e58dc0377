"""DCell: a neural network wired like the ontology (Ma et al. 2018, doi:10.1038/nmeth.4627).

For term t with children c and direct genes g, in index order,

    I = [O(c₁) ‖ … ‖ O(c_k) ‖ x(g₁) … x(g_m)]
    O(t) = BatchNorm(tanh(W(t) I + b(t)))
    ŷ(t) = V(t) O(t) + v(t)

The parameters of all subsystems lie in a few flat tensors (`dcell_model.subsystems`); engines only
differ in the order in which they work through them.
"""

from collections.abc import Callable
from typing import overload

import torch
from torch import Tensor, nn

from data_specs.cell_graph import CellGraph
from data_specs.errors import InputError, ParameterError
from data_specs.parameters import Model as ModelConfig
from dcell_model.activations import ACTIVATIONS
from dcell_model.dataset import MutantStateBatch
from dcell_model.engines import incremental, reference, stratum
from dcell_model.engines.choice import pick_engine
from dcell_model.engines.wild_type import WildTypeCache
from dcell_model.heads import Heads, TouchedHeads
from dcell_model.subsystems import SubsystemLayout, tensor_shapes

ENGINES: dict[str, Callable[["DCell", MutantStateBatch], Heads]] = {
    "reference": reference.forward,
    "stratum": stratum.forward,
    "incremental": incremental.forward,
}


class DCell(nn.Module):
    """The visible neural network of one hierarchy.

    Shapes: T terms, R rows (neurons of all terms), B samples, P phenotypes, E embedding width.

    Args:
        graph: the hierarchy.
        config: widths, norm, activation and the other variants.
        phenotypes: P, the width of every head.
        engine: how to run it: `reference` (the equations, term by term), `stratum` (all terms of a
            stratum at once), `incremental` (only what the deletions touch), or `auto`, which picks
            one of the last two at the first batch (`engines.choice`); may be changed at any time.

    Attributes:
        sync_batchnorm: whether statistics in training are taken over the batches of all processes
            of `torch.distributed`, each of which must then run the same steps; false at first.

    Parameters (flat; `export_subsystems` gives them term by term):
        child_weight `[Σ fan_in · out]`, gene_weight `[Σ out (· E)]`, bias `[R]`,
        norm_weight and norm_bias `[R]`, head_weight `[R, P]`, head_bias `[T, P]`; with
        `layers: 2` second_weight `[Σ out²]` and second_bias `[R]`; with `gene_embedding: E`
        embedding `[G, E]`.
    """

    running_mean: Tensor
    running_var: Tensor
    gene_of_weight: Tensor

    def __init__(
        self,
        graph: CellGraph,
        config: ModelConfig | None = None,
        *,
        phenotypes: int = 1,
        engine: str = "auto",
    ) -> None:
        super().__init__()
        self.graph = graph
        self.config = config = config or ModelConfig()
        self.layout = layout = SubsystemLayout(graph, config)
        self.engine = engine
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
        if config.gene_embedding:
            gene = graph.annotations[layout.gene_weight_pair, 1]
            # Travels with the module to its device, but is not part of its state.
            self.register_buffer("gene_of_weight", torch.from_numpy(gene), persistent=False)
        self.reset_parameters()

    @property
    def engine(self) -> str:
        """The engine that runs the network; `auto` until the first batch."""
        return self._engine

    @engine.setter
    def engine(self, name: str) -> None:
        if name not in (*ENGINES, "auto"):
            known = ", ".join(["auto", *ENGINES])
            raise ParameterError(f"engine '{name}' is unknown; there are {known}")
        self._engine = name

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

    @overload
    def forward(self, batch: MutantStateBatch) -> Tensor: ...

    @overload
    def forward(self, batch: MutantStateBatch, *, dense: bool) -> Heads: ...

    def forward(self, batch: MutantStateBatch, *, dense: bool = True) -> Heads:
        """Predictions of the heads of all terms.

        Args:
            batch: B genotypes, on the model's device.
            dense: false leaves the heads in the form in which the engine has them, which for
                `incremental` is much smaller; `dcell_loss` and `root_of` take both forms.

        Returns:
            `[T, B, P]`; `[0]` is the root's, the prediction of the model.

        Raises:
            InputError: one sample in training with batch norm, whose variance is not defined.
        """
        measured = self.training and self.config.norm == "batch" and not self.sync_batchnorm
        if measured and len(batch) == 1:
            raise InputError(
                "a training batch of one sample has no variance to normalise with; use at least "
                "two, or drop the last batch of an epoch"
            )
        if self._engine == "auto":
            self._engine, _ = pick_engine(self, batch)
        heads = ENGINES[self._engine](self, batch)
        return heads.dense() if dense and isinstance(heads, TouchedHeads) else heads

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
        return torch.stack([weight.square().sum() for weight in weights]).sum()
